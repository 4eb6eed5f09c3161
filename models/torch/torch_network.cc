#include "models/torch/torch_network.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "models/torch/convolution.h"
#include "models/torch/window_mask.h"

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
  ColumnWriter(const ColumnPlan& plan, const WindowMask& mask)
      : plan_(plan), mask_(mask), parts_(plan.columns().size()) {}

  void Vector(Feature feature, const at::Tensor& vector) {  // [windows, size]
    for (size_t i = 0; i < parts_.size(); ++i) {
      // Copied when it is float32 too: the squeeze-excite is activated in place afterwards.
      if (plan_.columns()[i].feature == feature) parts_[i] = vector.to(at::kFloat, false, /*copy=*/true);
    }
  }

  // Fills the map's padding.
  void Map(Feature feature, at::Tensor& map) {
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (plan_.columns()[i].feature == feature) parts_[i] = Reduce(map, plan_.columns()[i].reduction);
    }
  }

  at::Tensor Columns() const { return at::cat(parts_, 1); }

 private:
  at::Tensor Reduce(at::Tensor& map, Reduction reduction) const {
    switch (reduction) {
      case Reduction::kMean:
        return mask_.Mean(map);
      case Reduction::kMax:
        mask_.Fill(map, kLowest);
        return at::amax(map, {kTime, kMels}).to(at::kFloat);
      case Reduction::kMeanOverTime:
        return mask_.MeanOverTime(map).flatten(1);
      case Reduction::kMaxOverTime:
        mask_.Fill(map, kLowest);
        return at::amax(map, {kTime}).to(at::kFloat).flatten(1);
      case Reduction::kNone:
        break;
    }
    TORCH_CHECK(false, "a block's map has no reduction");
  }

  static constexpr double kLowest = -std::numeric_limits<double>::infinity();

  const ColumnPlan& plan_;
  const WindowMask& mask_;
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

  at::Tensor Run(const DeviceChunk& chunk, const ColumnPlan& plan) const override {
    const int64_t windows = chunk.index.size(0), frames = chunk.index.size(1), mels = chunk.rows.size(1);
    const at::Tensor spectrograms = at::index_select(chunk.rows, 0, chunk.index.view(-1)).view({windows, frames, mels});
    const WindowMask mask = chunk.shortest < frames ? WindowMask(chunk.lengths, frames, chunk.shortest) : WindowMask();
    const FeatureSet features = plan.features();
    ColumnWriter writer(plan, mask);
    if (features.Has(Feature::kMelAvgs)) writer.Vector(Feature::kMelAvgs, mask.MeanOfFrames(spectrograms));
    // Strides that say channels last, which unsqueeze(1) would not.
    at::Tensor map = spectrograms.to(dtype_).unsqueeze(3).permute({0, 3, 1, 2});
    const int last_block = features.LastBlock();
    if (last_block >= 0) {
      map = stem_->Run(map);
      writer.Map(Block(0), map);
    }
    for (int i = 1; i <= last_block; ++i) RunBlock(i, mask, map, writer);
    if (features.NeedsLastConvolution()) RunHead(mask, map, features.NeedsHead(), writer);
    return writer.Columns();
  }

 private:
  void RunBlock(int index, const WindowMask& mask, at::Tensor& map, ColumnWriter& writer) const {
    const TorchBlock& block = blocks_[index - 1];
    at::Tensor expanded = block.expansion ? block.expansion->Run(map) : map;
    mask.Fill(expanded, 0);
    at::Tensor inner = block.depthwise->Run(expanded);
    if (block.squeeze_excite) {
      at::Tensor squeezed = block.squeeze_excite->fc1.Run(mask.Mean(inner).to(dtype_));
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

  void RunHead(const WindowMask& mask, const at::Tensor& map, bool needs_classes, ColumnWriter& writer) const {
    at::Tensor last = last_->Run(map);
    at::Tensor pooled = mask.Mean(last).to(dtype_);
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
