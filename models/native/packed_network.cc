#include "models/native/packed_network.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/types/span.h"

namespace hearwire {
namespace {

// Few, so that some rows of them fit into the first-level cache. Channel counts are multiples of 8.
constexpr int kExpandedChannelsAtOnce = 8;

// Panels as equal as they can be: 4 vectors are better two by two than three and one.
std::vector<int> CutIntoPanels(int vectors, int widest) {
  const int count = (vectors + widest - 1) / widest;
  std::vector<int> panels;
  panels.reserve(count);
  for (int i = 0; i < count; ++i) panels.push_back(vectors / count + (i < vectors % count ? 1 : 0));
  return panels;
}

// Padded with zeros to `size`.
AlignedFloats PackValues(absl::Span<const float> values, size_t size) {
  AlignedFloats packed(size);
  std::copy(values.begin(), values.end(), packed.data());
  return packed;
}

// Values [first, end) of `values`.
AlignedFloats PackRange(const std::vector<float>& values, int first, int end) {
  const size_t count = static_cast<size_t>(end - first);
  return PackValues(absl::MakeConstSpan(values).subspan(static_cast<size_t>(first), count), count);
}

// Taps of a k x k kernel per channel, time first: [time, mels, stride].
AlignedFloats PackTaps(const ConvolutionWeights& convolution, size_t stride) {
  const size_t k = static_cast<size_t>(convolution.kernel);
  AlignedFloats packed(k * k * stride);
  for (size_t channel = 0; channel < static_cast<size_t>(convolution.out_channels); ++channel) {
    for (size_t mel = 0; mel < k; ++mel) {
      for (size_t time = 0; time < k; ++time) {
        packed.data()[(time * k + mel) * stride + channel] = convolution.weight[(channel * k + mel) * k + time];
      }
    }
  }
  return packed;
}

// The same of channels [first, end), channels first: [channels, time, mels].
AlignedFloats PackPlanesTaps(const ConvolutionWeights& convolution, int first, int end) {
  const size_t k = static_cast<size_t>(convolution.kernel);
  std::vector<float> taps;
  taps.reserve(static_cast<size_t>(end - first) * k * k);
  for (size_t channel = static_cast<size_t>(first); channel < static_cast<size_t>(end); ++channel) {
    for (size_t time = 0; time < k; ++time) {
      for (size_t mel = 0; mel < k; ++mel) taps.push_back(convolution.weight[(channel * k + mel) * k + time]);
    }
  }
  return PackValues(taps, taps.size());
}

PointwiseWeights PackPointwise(const ConvolutionWeights& convolution, const Kernels& kernels) {
  return PackPointwise(convolution.weight, convolution.bias, convolution.out_channels, convolution.in_channels,
                       kernels);
}

PointwiseWeights PackPointwise(const LinearWeights& linear, const Kernels& kernels) {
  return PackPointwise(linear.weight, linear.bias, linear.out_channels, linear.in_channels, kernels);
}

PackedBlock PackBlock(const BlockWeights& weights, const BlockShape& shape, const Kernels& kernels) {
  PackedBlock block;
  block.activation = shape.activation();
  block.has_residual = shape.has_residual();
  if (weights.expansion) block.expansion = PackPointwise(*weights.expansion, kernels);
  block.depthwise = PackDepthwise(weights.depthwise, shape.stride, kernels);
  if (weights.squeeze_excite) {
    block.squeeze_excite = {PackPointwise(weights.squeeze_excite->fc1, kernels),
                            PackPointwise(weights.squeeze_excite->fc2, kernels)};
  }
  block.projection = PackPointwise(weights.projection, kernels);
  return block;
}

PackedWideBlocks PackWideBlocks(const NetworkWeights& weights, const Kernels& kernels) {
  const auto& [block1, block2] = std::tie(weights.blocks[0], weights.blocks[1]);
  const auto& [shape1, shape2] = std::tie(weights.shape.blocks[0], weights.shape.blocks[1]);
  PackedWideBlocks packed;
  packed.stem = PackStem(weights.stem);
  packed.activation1 = shape1.activation();
  packed.depthwise1 = PackPlanesDepthwise(block1.depthwise, shape1.stride, 0, shape1.expanded_channels);
  packed.projection1 = PackPlanesPointwise(block1.projection, 0, shape1.out_channels);
  packed.activation2 = shape2.activation();
  // Numbers of channels are multiples of 8, and 8 they are where there is no expansion.
  for (int first = 0; first < shape2.expanded_channels; first += kExpandedChannelsAtOnce) {
    const int end = first + kExpandedChannelsAtOnce;
    PackedWideBlocks::Expanded expanded;
    if (block2.expansion) expanded.expansion = PackPlanesPointwise(*block2.expansion, first, end);
    expanded.depthwise = PackPlanesDepthwise(block2.depthwise, shape2.stride, first, end);
    packed.expanded2.push_back(std::move(expanded));
  }
  packed.projection2 = PackPointwise(block2.projection, kernels);
  return packed;
}

}  // namespace

PointwiseWeights PackPointwise(const std::vector<float>& weight, const std::vector<float>& bias, int out_channels,
                               int in_channels, const Kernels& kernels) {
  PointwiseWeights packed;
  packed.in_channels = static_cast<size_t>(in_channels);
  packed.in_stride = kernels.Pad(packed.in_channels);
  packed.out_channels = static_cast<size_t>(out_channels);
  packed.out_stride = kernels.Pad(packed.out_channels);
  packed.panels = CutIntoPanels(static_cast<int>(packed.out_stride / kernels.lanes), kernels.max_panel_vectors);
  packed.bias = PackValues(bias, packed.out_stride);
  packed.weight = AlignedFloats(packed.in_channels * packed.out_stride);
  float* to = packed.weight.data();
  size_t first_out = 0;
  for (const int vectors : packed.panels) {
    const size_t end_out = first_out + static_cast<size_t>(vectors) * kernels.lanes;
    for (size_t in = 0; in < packed.in_channels; ++in) {
      for (size_t out = first_out; out < end_out; ++out, ++to) {
        if (out < packed.out_channels) *to = weight[out * packed.in_channels + in];
      }
    }
    first_out = end_out;
  }
  return packed;
}

DepthwiseWeights PackDepthwise(const ConvolutionWeights& convolution, int stride, const Kernels& kernels) {
  DepthwiseWeights packed;
  packed.kernel = convolution.kernel;
  packed.stride = stride;
  packed.channel_stride = kernels.Pad(static_cast<size_t>(convolution.out_channels));
  packed.weight = PackTaps(convolution, packed.channel_stride);
  packed.bias = PackValues(convolution.bias, packed.channel_stride);
  return packed;
}

StemWeights PackStem(const ConvolutionWeights& convolution) {
  const int channels = convolution.out_channels;
  return {.channels = static_cast<size_t>(channels),
          .weight = PackPlanesTaps(convolution, 0, channels),
          .bias = PackRange(convolution.bias, 0, channels)};
}

PlanesPointwiseWeights PackPlanesPointwise(const ConvolutionWeights& convolution, int first, int end) {
  const int in_channels = convolution.in_channels;
  return {.in_channels = static_cast<size_t>(in_channels),
          .out_channels = static_cast<size_t>(end - first),
          .weight = PackRange(convolution.weight, first * in_channels, end * in_channels),
          .bias = PackRange(convolution.bias, first, end)};
}

PlanesDepthwiseWeights PackPlanesDepthwise(const ConvolutionWeights& convolution, int stride, int first, int end) {
  return {.stride = stride,
          .channels = static_cast<size_t>(end - first),
          .weight = PackPlanesTaps(convolution, first, end),
          .bias = PackRange(convolution.bias, first, end)};
}

PackedNetwork PackNetwork(const NetworkWeights& weights, const MelSettings& mel, const Kernels& kernels) {
  PackedNetwork packed;
  packed.shape = weights.shape;
  packed.head = weights.head;
  packed.mel = mel;
  packed.wide = PackWideBlocks(weights, kernels);
  for (size_t i = 0; i < packed.blocks.size(); ++i) {
    const size_t block = i + kFirstPackedBlock - 1;
    packed.blocks[i] = PackBlock(weights.blocks[block], weights.shape.blocks[block], kernels);
  }
  packed.last = PackPointwise(weights.last, kernels);
  if (weights.head == HeadKind::kMlp) packed.hidden_layer = PackPointwise(weights.hidden_layer, kernels);
  packed.class_layer = PackPointwise(weights.class_layer, kernels);
  return packed;
}

}  // namespace hearwire
