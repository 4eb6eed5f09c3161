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

// logits: [head's], overwritten. scores: [labels]
void WriteScores(Head::Output kind, absl::Span<double> logits, absl::Span<float> scores) {
  switch (kind) {
    case Head::Output::kSoftmax:
      return Softmax(logits, scores);
    case Head::Output::kSigmoid:
      for (size_t i = 0; i < logits.size(); ++i) scores[i] = static_cast<float>(Sigmoid(logits[i]));
      return;
    case Head::Output::kBinarySigmoid:
      scores[0] = static_cast<float>(Sigmoid(-logits[0]));
      scores[1] = static_cast<float>(Sigmoid(logits[0]));
      return;
  }
}

// The embeddings as the first layer reads them, [count, d].
void ReadInput(const Head& head, const Embeddings& embeddings, std::vector<double>* input) {
  const auto size = static_cast<size_t>(head.embedding_size());
  input->resize(embeddings.count * size);
  double* to = input->data();
  for (size_t k = 0; k < embeddings.count; ++k, to += size) {
    const float* from = embeddings.first + k * embeddings.stride;
    std::copy(from, from + size, to);
    for (size_t i = 0; i < head.mean.size(); ++i) to[i] = (to[i] - head.mean[i]) * head.inverse_scale[i];
  }
}

}  // namespace

void ComputeHeadScores(const Head& head, const Embeddings& embeddings, HeadWorkspace* workspace,
                       absl::Span<float> scores) {
  // In groups, so that what one layer makes is still at hand for the next.
  constexpr size_t kGroup = 8;
  const size_t labels = head.labels.size();
  std::vector<double>& input = workspace->input;
  std::vector<double>& output = workspace->output;
  for (size_t done = 0; done < embeddings.count; done += kGroup) {
    const size_t count = std::min(kGroup, embeddings.count - done);
    ReadInput(head, {embeddings.first + done * embeddings.stride, count, embeddings.stride}, &input);
    for (size_t i = 0; i < head.layers.size(); ++i) {
      output.resize(count * static_cast<size_t>(head.layers[i].out_channels));
      ComputeAffine(head.layers[i], input.data(), count, output.data());
      if (i + 1 == head.layers.size()) break;
      Activate(head.activation, absl::MakeSpan(output));
      input.swap(output);
    }
    const size_t logits = output.size() / count;
    for (size_t k = 0; k < count; ++k) {
      WriteScores(head.output, absl::MakeSpan(output).subspan(k * logits, logits),
                  scores.subspan((done + k) * labels, labels));
    }
  }
}

}  // namespace hearwire
