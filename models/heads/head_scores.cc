#include "models/heads/head_scores.h"

#include <algorithm>
#include <cmath>

#include "models/heads/affine.h"

namespace hearwire {
namespace {

void Activate(Head::Activation activation, absl::Span<double> values) {
  switch (activation) {
    case Head::Activation::kRelu:
      for (double& x : values) x = std::max(x, 0.0);
      break;
    case Head::Activation::kHardswish:
      for (double& x : values) x = x * (std::clamp(x + 3, 0.0, 6.0) / 6);
      break;
    case Head::Activation::kGelu:  // The exact one, torch.nn.GELU's default.
      for (double& x : values) x = x * (0.5 * std::erfc(-x * M_SQRT1_2));
      break;
  }
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

void Softmax(absl::Span<double> logits, absl::Span<float> scores) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& x : logits) sum += x = std::exp(x - largest);
  for (size_t i = 0; i < logits.size(); ++i) scores[i] = static_cast<float>(logits[i] / sum);
}

}  // namespace

void ComputeHeadScores(const Head& head, absl::Span<const float> embedding, HeadWorkspace* workspace,
                       absl::Span<float> scores) {
  std::vector<double>& input = workspace->input;
  std::vector<double>& output = workspace->output;
  input.assign(embedding.begin(), embedding.end());
  for (size_t i = 0; i < head.mean.size(); ++i) input[i] = (input[i] - head.mean[i]) * head.inverse_scale[i];
  for (size_t i = 0; i < head.layers.size(); ++i) {
    output.resize(static_cast<size_t>(head.layers[i].out_channels));
    ComputeAffine(head.layers[i], input.data(), output.data());
    if (i + 1 < head.layers.size()) {
      Activate(head.activation, absl::MakeSpan(output));
      input.swap(output);
    }
  }
  switch (head.output) {
    case Head::Output::kSoftmax:
      Softmax(absl::MakeSpan(output), scores);
      break;
    case Head::Output::kSigmoid:
      for (size_t i = 0; i < output.size(); ++i) scores[i] = static_cast<float>(Sigmoid(output[i]));
      break;
    case Head::Output::kBinarySigmoid:
      scores[0] = static_cast<float>(Sigmoid(-output[0]));
      scores[1] = static_cast<float>(Sigmoid(output[0]));
      break;
  }
}

}  // namespace hearwire
