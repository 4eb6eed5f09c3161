#include "models/checkpoint/network_weights.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "models/checkpoint/in_parallel.h"
#include "models/checkpoint/quote.h"

namespace hearwire {
namespace {

constexpr double kBatchNormEpsilon = 1e-3;
constexpr int kMostClasses = 10'000;
constexpr char kLastConvolution[] = "features.16.0.weight";
constexpr char kMlpHidden[] = "classifier.2";
constexpr char kMlpClasses[] = "classifier.5";
constexpr char kConvolutionalClasses[] = "classifier.0";
constexpr char kConvolutionalBatchNorm[] = "classifier.1";

bool AllFinite(const std::vector<float>& values) {
  constexpr uint32_t kExponent = 0x7f800000;
  bool finite = true;
  for (const float value : values) finite &= (std::bit_cast<uint32_t>(value) & kExponent) != kExponent;
  return finite;
}

std::string ShapeText(const std::vector<int64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

absl::StatusOr<double> FindWidth(const Checkpoint& checkpoint) {
  const auto last = checkpoint.tensors.find(kLastConvolution);
  if (last == checkpoint.tensors.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", kLastConvolution, " is missing: not a network of EfficientAT's MobileNetV3 layout"));
  }
  // No two widths have the same last convolution.
  for (int tenths = 1; tenths <= 40; ++tenths) {
    const NetworkShape shape = MakeNetworkShape(tenths / 10.0);
    const int in_channels = shape.blocks.back().out_channels;
    if (last->second.shape == std::vector<int64_t>{shape.last_channels, in_channels, 1, 1}) return tenths / 10.0;
  }
  return absl::InvalidArgumentError(absl::StrCat("tensor ", kLastConvolution, " has shape ",
                                                 ShapeText(last->second.shape),
                                                 ", which no width from 0.1 to 4.0 has (width 1.0: [960, 160, 1, 1])"));
}

absl::StatusOr<HeadKind> FindHead(const Checkpoint& checkpoint) {
  const auto has = [&](const char* layer) { return checkpoint.tensors.contains(absl::StrCat(layer, ".weight")); };
  if (has(kMlpHidden) || has(kMlpClasses)) return HeadKind::kMlp;
  if (has(kConvolutionalClasses) || has(kConvolutionalBatchNorm)) return HeadKind::kFullyConvolutional;
  return absl::InvalidArgumentError(
      absl::StrCat("has no head: neither tensors ", kMlpHidden, ".weight and ", kMlpClasses, ".weight (mlp) nor ",
                   kConvolutionalClasses, ".weight and ", kConvolutionalBatchNorm, ".weight (fully convolutional)"));
}

// The names of tensors with a value that is not finite.
std::set<std::string_view> FindNotFinite(const Checkpoint& checkpoint) {
  std::vector<std::pair<std::string_view, const std::vector<float>*>> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors) tensors.emplace_back(name, &tensor.values);
  std::vector<uint8_t> finite(tensors.size());
  InParallel(tensors.size(), [&](size_t i) { finite[i] = AllFinite(*tensors[i].second); });
  std::set<std::string_view> found;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!finite[i]) found.insert(tensors[i].first);
  }
  return found;
}

// The rows of the layer that has the logits.
absl::StatusOr<int> FindClassCount(const Checkpoint& checkpoint, HeadKind head) {
  const std::string name = absl::StrCat(head == HeadKind::kMlp ? kMlpClasses : kConvolutionalClasses, ".weight");
  const auto classes = checkpoint.tensors.find(name);
  if (classes == checkpoint.tensors.end()) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", name, " is missing"));
  }
  const std::vector<int64_t>& shape = classes->second.shape;
  if (shape.empty() || shape[0] < 1 || shape[0] > kMostClasses) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", name, " has shape ", ShapeText(shape),
                                                   "; its first number is that of the classes, 1 to ", kMostClasses));
  }
  return static_cast<int>(shape[0]);
}

// Moves tensors out of a checkpoint layer by layer. The first failure is kept in status(); what is taken behind it is
// empty.
class LayerReader {
 public:
  LayerReader(Checkpoint* checkpoint, double width)
      : checkpoint_(*checkpoint), width_(width), not_finite_(FindNotFinite(*checkpoint)) {}

  ConvolutionWeights Convolution(const std::string& layer, const std::string& batch_norm, int out_channels,
                                 int in_channels, int kernel) {
    std::vector<float>* weight = Take(layer + ".weight", {out_channels, in_channels, kernel, kernel});
    const BatchNorm norm = TakeBatchNorm(batch_norm, out_channels);
    if (!status_.ok()) return {};
    ConvolutionWeights folded;
    folded.out_channels = out_channels;
    folded.in_channels = in_channels;
    folded.kernel = kernel;
    folded.weight = std::move(*weight);
    folded.bias.resize(out_channels);
    const size_t row = folded.weight.size() / out_channels;
    for (int c = 0; c < out_channels; ++c) {
      const double scale = (*norm.scale)[c] / std::sqrt((*norm.variance)[c] + kBatchNormEpsilon);
      for (size_t i = c * row; i < (c + 1) * row; ++i) folded.weight[i] = static_cast<float>(folded.weight[i] * scale);
      folded.bias[c] = static_cast<float>((*norm.shift)[c] - (*norm.mean)[c] * scale);
    }
    if (!AllFinite(folded.weight) || !AllFinite(folded.bias)) {
      Fail(absl::StrCat("tensor ", layer, ".weight overflows when its batch-norm ", batch_norm, " is folded in"));
    }
    return folded;
  }

  LinearWeights Linear(const std::string& layer, int out_channels, int in_channels) {
    std::vector<float>* weight = Take(layer + ".weight", {out_channels, in_channels});
    std::vector<float>* bias = Take(layer + ".bias", {out_channels});
    if (!status_.ok()) return {};
    return {.out_channels = out_channels,
            .in_channels = in_channels,
            .weight = std::move(*weight),
            .bias = std::move(*bias)};
  }

  BlockWeights Block(int index, const BlockShape& shape) {
    const std::string block = absl::StrCat("features.", index, ".block.");
    int part = 0;
    const auto convolution = [&](int out_channels, int in_channels, int kernel) {
      const std::string name = absl::StrCat(block, part++);
      return Convolution(name + ".0", name + ".1", out_channels, in_channels, kernel);
    };
    BlockWeights weights;
    if (shape.has_expansion()) weights.expansion = convolution(shape.expanded_channels, shape.in_channels, 1);
    weights.depthwise = convolution(shape.expanded_channels, 1, shape.kernel);
    if (shape.squeeze_channels > 0) {
      const std::string name = absl::StrCat(block, part++, ".conc_se_layers.0.");
      weights.squeeze_excite = {.fc1 = Linear(name + "fc1", shape.squeeze_channels, shape.expanded_channels),
                                .fc2 = Linear(name + "fc2", shape.expanded_channels, shape.squeeze_channels)};
    }
    weights.projection = convolution(shape.out_channels, shape.expanded_channels, 1);
    return weights;
  }

  void CheckNothingIsLeft() {
    for (const auto& [name, tensor] : checkpoint_.tensors) {
      if (!taken_.contains(name)) {
        Fail(absl::StrCat("tensor ", Quote(name), " of shape ", ShapeText(tensor.shape), " is not known in ",
                          Network()));
      }
    }
  }

  const absl::Status& status() const { return status_; }

 private:
  struct BatchNorm {
    const std::vector<float>* scale;
    const std::vector<float>* shift;
    const std::vector<float>* mean;
    const std::vector<float>* variance;
  };

  std::string Network() const { return absl::StrFormat("a network of width %.1f", width_); }

  void Fail(const std::string& message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(message);
  }

  std::vector<float>* Take(const std::string& name, const std::vector<int64_t>& shape) {
    const auto tensor = checkpoint_.tensors.find(name);
    if (tensor == checkpoint_.tensors.end()) {
      Fail(absl::StrCat("tensor ", name, " of shape ", ShapeText(shape), " is missing in ", Network()));
      return nullptr;
    }
    taken_.insert(tensor->first);
    if (tensor->second.shape != shape) {
      Fail(absl::StrCat("tensor ", name, " has shape ", ShapeText(tensor->second.shape), " instead of ",
                        ShapeText(shape), " in ", Network()));
    } else if (not_finite_.contains(tensor->first)) {
      Fail(absl::StrCat("tensor ", name, " holds a value that is not finite"));
    }
    return &tensor->second.values;
  }

  BatchNorm TakeBatchNorm(const std::string& layer, int channels) {
    const BatchNorm norm = {.scale = Take(layer + ".weight", {channels}),
                            .shift = Take(layer + ".bias", {channels}),
                            .mean = Take(layer + ".running_mean", {channels}),
                            .variance = Take(layer + ".running_var", {channels})};
    if (!status_.ok()) return norm;
    for (const float variance : *norm.variance) {
      if (variance < 0) Fail(absl::StrCat("tensor ", layer, ".running_var holds the negative variance ", variance));
    }
    return norm;
  }

  Checkpoint& checkpoint_;
  const double width_;
  const std::set<std::string_view> not_finite_;
  std::set<std::string_view> taken_;
  absl::Status status_;
};

absl::StatusOr<NetworkWeights> ReadNetworkWeights(Checkpoint checkpoint) {
  const absl::StatusOr<double> width = FindWidth(checkpoint);
  if (!width.ok()) return width.status();
  const absl::StatusOr<HeadKind> head = FindHead(checkpoint);
  if (!head.ok()) return head.status();
  const absl::StatusOr<int> class_count = FindClassCount(checkpoint, *head);
  if (!class_count.ok()) return class_count.status();

  NetworkWeights weights;
  weights.width = *width;
  weights.head = *head;
  weights.shape = MakeNetworkShape(*width, *class_count);
  weights.sha256 = checkpoint.sha256;
  const NetworkShape& shape = weights.shape;
  LayerReader reader(&checkpoint, *width);
  weights.stem = reader.Convolution("features.0.0", "features.0.1", shape.stem_channels, 1, 3);
  for (size_t i = 0; i < shape.blocks.size(); ++i) {
    weights.blocks[i] = reader.Block(static_cast<int>(i) + 1, shape.blocks[i]);
  }
  weights.last =
      reader.Convolution("features.16.0", "features.16.1", shape.last_channels, shape.blocks.back().out_channels, 1);
  if (*head == HeadKind::kMlp) {
    weights.hidden_layer = reader.Linear(kMlpHidden, shape.hidden_channels, shape.last_channels);
    weights.class_layer = reader.Linear(kMlpClasses, shape.class_count, shape.hidden_channels);
  } else {
    ConvolutionWeights classes =
        reader.Convolution(kConvolutionalClasses, kConvolutionalBatchNorm, shape.class_count, shape.last_channels, 1);
    weights.class_layer = {.out_channels = shape.class_count,
                           .in_channels = shape.last_channels,
                           .weight = std::move(classes.weight),
                           .bias = std::move(classes.bias)};
  }
  reader.CheckNothingIsLeft();
  if (!reader.status().ok()) return reader.status();
  return weights;
}

}  // namespace

absl::StatusOr<NetworkWeights> MakeNetworkWeights(Checkpoint checkpoint, std::string_view name) {
  absl::StatusOr<NetworkWeights> weights = ReadNetworkWeights(std::move(checkpoint));
  if (!weights.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(name), ": ", weights.status().message()));
  }
  return weights;
}

}  // namespace hearwire
