#include "models/torch/torch_network.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>

#include <optional>
#include <utility>
#include <vector>

#include "models/torch/convolution.h"

namespace hearwire {
namespace {

// Axes of a map [windows, channels, time, mels]. Time comes first of the two because frames lie in memory one after the
// other: a spectrogram is a map of one channel as it stands.
constexpr int kTime = 2;
constexpr int kMels = 3;

// A window of 160 ms: what weights are packed for.
constexpr int kTypicalFrames = 16;
constexpr int kTypicalMels = 128;

struct Linear {
  at::Tensor weight;  // [in, out]
  at::Tensor bias;    // [out]

  at::Tensor Run(const at::Tensor& input) const { return at::addmm(bias, input, weight); }
};

Linear MakeLinear(const LinearWeights& weights, const at::TensorOptions& options) {
  const auto copy = [&](const std::vector<float>& values, at::IntArrayRef shape) {
    return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).to(options, false, /*copy=*/true);
  };
  return {copy(weights.weight, {weights.out_channels, weights.in_channels}).t().contiguous(),
          copy(weights.bias, {weights.out_channels})};
}

struct SqueezeExcite {
  Linear fc1;
  Linear fc2;
};

struct TorchBlock {
  std::unique_ptr<Convolution> expansion;  // May be null.
  std::unique_ptr<Convolution> depthwise;
  std::optional<SqueezeExcite> squeeze_excite;
  std::unique_ptr<Convolution> projection;
  bool residual;
};

// A convolution's spec, with its input map when 16 frames of 128 bands run through the network: block `input`'s output.
ConvolutionSpec MakeSpec(int input, Activation activation = Activation::kNone) {
  return {.activation = activation,
          .typical_time = BlockOutputSize(input, kTypicalFrames),
          .typical_mels = BlockOutputSize(input, kTypicalMels)};
}

// Block `index`, 1 to 15.
TorchBlock MakeBlock(int index, const BlockWeights& weights, const BlockShape& shape,
                     const at::TensorOptions& options) {
  const Activation activation = shape.activation();
  TorchBlock block;
  if (weights.expansion)
    block.expansion = MakeConvolution(*weights.expansion, MakeSpec(index - 1, activation), options);
  ConvolutionSpec depthwise = MakeSpec(index - 1, activation);
  depthwise.stride = shape.stride;
  depthwise.depthwise = true;
  block.depthwise = MakeConvolution(weights.depthwise, depthwise, options);
  if (weights.squeeze_excite) {
    block.squeeze_excite = {MakeLinear(weights.squeeze_excite->fc1, options),
                            MakeLinear(weights.squeeze_excite->fc2, options)};
  }
  block.projection = MakeConvolution(weights.projection, MakeSpec(index), options);
  block.residual = shape.has_residual();
  return block;
}

// Collects the columns of one forward pass, whichever order they come in.
class ColumnWriter {
 public:
  explicit ColumnWriter(const ColumnPlan& plan) : plan_(plan), parts_(plan.columns().size()) {}

  void Vector(Feature feature, const at::Tensor& vector) {  // [windows, size]
    for (size_t i = 0; i < parts_.size(); ++i) {
      // Copied when it is float32 too: the squeeze-excite is activated in place afterwards.
      if (plan_.columns()[i].feature == feature) parts_[i] = vector.to(at::kFloat, false, /*copy=*/true);
    }
  }

  void Map(Feature feature, const at::Tensor& map) {
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (plan_.columns()[i].feature == feature) parts_[i] = Reduce(map, plan_.columns()[i].reduction);
    }
  }

  at::Tensor Columns() const { return at::cat(parts_, 1); }

 private:
  static at::Tensor Reduce(const at::Tensor& map, Reduction reduction) {
    switch (reduction) {
      case Reduction::kMean:
        return at::mean(map, {kTime, kMels}, /*keepdim=*/false, at::kFloat);
      case Reduction::kMax:
        return at::amax(map, {kTime, kMels}).to(at::kFloat);
      case Reduction::kMeanOverTime:
        return at::mean(map, {kTime}, /*keepdim=*/false, at::kFloat).flatten(1);
      case Reduction::kMaxOverTime:
        return at::amax(map, {kTime}).to(at::kFloat).flatten(1);
      case Reduction::kNone:
        break;
    }
    TORCH_CHECK(false, "a block's map has no reduction");
  }

  const ColumnPlan& plan_;
  std::vector<at::Tensor> parts_;
};

class MobileNet final : public TorchNetwork {
 public:
  MobileNet(const NetworkWeights& weights, const at::TensorOptions& options)
      : dtype_(options.dtype().toScalarType()),
        stem_(MakeConvolution(weights.stem,
                              {.activation = Activation::kHardswish,
                               .stride = 2,
                               .typical_time = kTypicalFrames,
                               .typical_mels = kTypicalMels},
                              options)),
        last_(MakeConvolution(weights.last, MakeSpec(kBlockCount - 1, Activation::kHardswish), options)),
        classes_(MakeLinear(weights.class_layer, options)) {
    for (size_t i = 0; i < weights.blocks.size(); ++i) {
      blocks_.push_back(MakeBlock(static_cast<int>(i) + 1, weights.blocks[i], weights.shape.blocks[i], options));
    }
    if (weights.head == HeadKind::kMlp) hidden_ = MakeLinear(weights.hidden_layer, options);
  }

  at::Tensor Run(const at::Tensor& spectrograms, const ColumnPlan& plan) const override {
    const FeatureSet features = plan.features();
    ColumnWriter writer(plan);
    if (features.Has(Feature::kMelAvgs)) writer.Vector(Feature::kMelAvgs, spectrograms.mean(1));
    // Strides that say channels last, which unsqueeze(1) would not.
    at::Tensor map = spectrograms.to(dtype_).unsqueeze(3).permute({0, 3, 1, 2});
    const int last_block = features.LastBlock();
    if (last_block >= 0) {
      map = stem_->Run(map);
      writer.Map(Block(0), map);
    }
    for (int i = 1; i <= last_block; ++i) RunBlock(i, map, writer);
    if (features.NeedsLastConvolution()) RunHead(map, features.NeedsHead(), writer);
    return writer.Columns();
  }

 private:
  void RunBlock(int index, at::Tensor& map, ColumnWriter& writer) const {
    const TorchBlock& block = blocks_[index - 1];
    at::Tensor inner = block.depthwise->Run(block.expansion ? block.expansion->Run(map) : map);
    if (block.squeeze_excite) {
      at::Tensor squeezed = block.squeeze_excite->fc1.Run(at::mean(inner, {kTime, kMels}));
      writer.Vector(Se(index), squeezed);
      const at::Tensor scale = at::sigmoid(block.squeeze_excite->fc2.Run(at::relu_(squeezed)));
      inner.mul_(scale.unsqueeze(2).unsqueeze(3));
    }
    if (block.residual) {
      block.projection->AddTo(map, inner);
    } else {
      map = block.projection->Run(inner);
    }
    writer.Map(Block(index), map);
  }

  void RunHead(const at::Tensor& map, bool needs_classes, ColumnWriter& writer) const {
    at::Tensor pooled = at::mean(last_->Run(map), {kTime, kMels});
    writer.Vector(Feature::kClf1, pooled);
    if (!needs_classes) return;
    if (hidden_) {
      pooled = at::hardswish(hidden_->Run(pooled));
      writer.Vector(Feature::kClf2, pooled);
    }
    writer.Vector(Feature::kLogits, classes_.Run(pooled));
  }

  const at::ScalarType dtype_;
  const std::unique_ptr<Convolution> stem_;
  std::vector<TorchBlock> blocks_;  // blocks_[i] is block i + 1.
  const std::unique_ptr<Convolution> last_;
  std::optional<Linear> hidden_;  // Of the mlp head.
  const Linear classes_;
};

}  // namespace

std::unique_ptr<TorchNetwork> MakeTorchNetwork(const NetworkWeights& weights, const at::TensorOptions& options) {
  return std::make_unique<MobileNet>(weights, options);
}

}  // namespace hearwire
