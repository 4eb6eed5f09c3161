#include "models/torch/torch_network.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_addmm_activation.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "models/torch/convolution.h"
#include "models/torch/convolution_tensors.h"
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
  at::Tensor RunWithRelu(const at::Tensor& input) const { return at::_addmm_activation(bias, input, weight); }
};

Linear MakeLinear(const LinearWeights& weights, const at::TensorOptions& options) {
  return {CopyToTensor(weights.weight, {weights.out_channels, weights.in_channels}, options).t().contiguous(),
          CopyToTensor(weights.bias, {weights.out_channels}, options)};
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
  at::Tensor left_out;  // [channels], float32: what the block's map lacks. Undefined: nothing.
};

// A convolution's spec, with its input map when 16 frames of 128 bands run through the network: block `input`'s output.
ConvolutionSpec MakeSpec(int input, Activation activation = Activation::kNone) {
  return {.activation = activation,
          .typical_time = BlockOutputSize(input, kTypicalFrames),
          .typical_mels = BlockOutputSize(input, kTypicalMels)};
}

// Makes blocks 1 to 15, one after the other. Where biases need launches of their own, they are left out of maps as long
// as only 1 x 1 convolutions read these, whose own biases allow for it: behind residuals, and behind depthwise
// convolutions of cuDNN with ReLU.
class BlockMaker {
 public:
  BlockMaker(const Operators& operators, const at::TensorOptions& options) : operators_(operators), options_(options) {}

  // next_is_pointwise: a 1 x 1 convolution follows the block, which can allow for what is left out of its map.
  TorchBlock Make(int index, const BlockWeights& weights, const BlockShape& shape, bool next_is_pointwise) {
    const Activation activation = shape.activation();
    TorchBlock block;
    if (weights.expansion) {
      block.expansion = MakeNext(*weights.expansion, MakeSpec(index - 1, activation));
    }
    ConvolutionSpec depthwise = MakeSpec(index - 1, activation);
    depthwise.stride = shape.stride;
    depthwise.depthwise = true;
    // The squeeze-excite's factors would scale what is left out.
    depthwise.leave_out_bias =
        !operators_.one_dnn && operators_.tuning.cudnn && activation == Activation::kRelu && !weights.squeeze_excite;
    block.depthwise = MakeConvolution(operators_, weights.depthwise, depthwise, options_);
    if (weights.squeeze_excite) {
      block.squeeze_excite = {MakeLinear(weights.squeeze_excite->fc1, options_),
                              MakeLinear(weights.squeeze_excite->fc2, options_)};
    }
    block.residual = shape.has_residual();
    const ChannelSums inner_lacks = depthwise.leave_out_bias ? AsSums(weights.depthwise.bias) : ChannelSums();
    ConvolutionWeights projection = WithBias(weights.projection, BiasAfter(inner_lacks, weights.projection));
    ConvolutionSpec spec = MakeSpec(index);
    spec.leave_out_bias = !operators_.one_dnn && block.residual && next_is_pointwise;
    // What the sum lacks from now on, or is given with the projection.
    ChannelSums lacks = AsSums(projection.bias);
    for (size_t i = 0; i < left_out_.size() && block.residual; ++i) lacks[i] += left_out_[i];
    left_out_.clear();
    if (spec.leave_out_bias) {
      left_out_ = lacks;
      block.left_out = CopyToTensor(AsFloats(lacks), {projection.out_channels}, options_.dtype(at::kFloat));
    } else {
      projection.bias = AsFloats(lacks);
    }
    block.projection = MakeConvolution(operators_, projection, spec, options_);
    return block;
  }

  // A 1 x 1 convolution behind the blocks made so far.
  std::unique_ptr<Convolution> MakeNext(const ConvolutionWeights& weights, const ConvolutionSpec& spec) const {
    return MakeConvolution(operators_, WithBias(weights, BiasAfter(left_out_, weights)), spec, options_);
  }

 private:
  using ChannelSums = std::vector<double>;  // A value a channel; none: all are 0.

  static ChannelSums AsSums(const std::vector<float>& values) { return {values.begin(), values.end()}; }
  static std::vector<float> AsFloats(const ChannelSums& sums) { return {sums.begin(), sums.end()}; }

  // The bias of a 1 x 1 convolution whose input lacks `left_out`.
  static ChannelSums BiasAfter(const ChannelSums& left_out, const ConvolutionWeights& weights) {
    ChannelSums bias = AsSums(weights.bias);
    for (size_t out = 0; out < bias.size(); ++out) {
      for (size_t in = 0; in < left_out.size(); ++in) {
        bias[out] += double{weights.weight[out * left_out.size() + in]} * left_out[in];
      }
    }
    return bias;
  }

  static ConvolutionWeights WithBias(const ConvolutionWeights& weights, const ChannelSums& bias) {
    ConvolutionWeights changed = weights;
    changed.bias = AsFloats(bias);
    return changed;
  }

  const Operators operators_;
  const at::TensorOptions options_;
  ChannelSums left_out_;  // What the last block's map lacks.
};

// Collects the columns of one forward pass, whichever order they come in.
class ColumnWriter {
 public:
  ColumnWriter(const ColumnPlan& plan, const WindowMask& mask)
      : plan_(plan), mask_(mask), parts_(plan.columns().size()) {}

  bool Needs(Feature feature) const { return plan_.features().Has(feature); }

  void Vector(Feature feature, const at::Tensor& vector) {  // [windows, size]
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (plan_.columns()[i].feature == feature) parts_[i] = vector.to(at::kFloat);
    }
  }

  // Fills the map's padding. left_out: what the map lacks, [channels], float32; undefined: nothing.
  void Map(Feature feature, at::Tensor& map, const at::Tensor& left_out = {}) {
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (plan_.columns()[i].feature != feature) continue;
      at::Tensor reduced =
          Reduce(map, plan_.columns()[i].reduction);  // [windows, channels] or [windows, channels, mels]
      if (left_out.defined()) reduced.add_(reduced.dim() == 2 ? left_out : left_out.unsqueeze(1));
      parts_[i] = reduced.flatten(1);
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
        return mask_.MeanOverTime(map);
      case Reduction::kMaxOverTime:
        mask_.Fill(map, kLowest);
        return at::amax(map, {kTime}).to(at::kFloat);
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
  MobileNet(const NetworkWeights& weights, const at::TensorOptions& options, const Operators& operators)
      : dtype_(options.dtype().toScalarType()),
        stem_(MakeConvolution(operators, weights.stem,
                              {.activation = Activation::kHardswish,
                               .stride = 2,
                               .typical_time = kTypicalFrames,
                               .typical_mels = kTypicalMels},
                              options)),
        classes_(MakeLinear(weights.class_layer, options)) {
    BlockMaker maker(operators, options);
    for (size_t i = 0; i < weights.blocks.size(); ++i) {
      const bool next_is_pointwise = i + 1 == weights.blocks.size() || weights.blocks[i + 1].expansion;
      blocks_.push_back(
          maker.Make(static_cast<int>(i) + 1, weights.blocks[i], weights.shape.blocks[i], next_is_pointwise));
    }
    last_ = maker.MakeNext(weights.last, MakeSpec(kBlockCount - 1, Activation::kHardswish));
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
      const at::Tensor scale = Scale(index, *block.squeeze_excite, mask.Mean(inner).to(dtype_), writer);
      inner.mul_(scale.unsqueeze(2).unsqueeze(3));
    }
    if (block.residual) {
      block.projection->AddTo(map, inner);
    } else {
      map = block.projection->Run(inner);
    }
    writer.Map(Block(index), map, block.left_out);
  }

  // A factor for each channel.
  static at::Tensor Scale(int index, const SqueezeExcite& layers, const at::Tensor& means, ColumnWriter& writer) {
    if (!writer.Needs(Se(index))) return at::sigmoid(layers.fc2.Run(layers.fc1.RunWithRelu(means)));
    const at::Tensor squeezed = layers.fc1.Run(means);
    writer.Vector(Se(index), squeezed);
    return at::sigmoid(layers.fc2.Run(at::relu(squeezed)));
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
  std::unique_ptr<Convolution> last_;
  std::optional<Linear> hidden_;  // Of the mlp head.
  const Linear classes_;
};

}  // namespace

std::unique_ptr<TorchNetwork> MakeTorchNetwork(const NetworkWeights& weights, const at::TensorOptions& options,
                                               const Operators& operators) {
  return std::make_unique<MobileNet>(weights, options, operators);
}

}  // namespace hearwire
