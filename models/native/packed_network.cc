#include "models/native/packed_network.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "models/checkpoint/in_parallel.h"
#include "models/native/bfloat16.h"

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

// Panel after panel of the layer: [count, panel vectors x lanes], of value(output channel, 0 to count).
template <class T, class Value>
AlignedArray<T> PackPanels(const PointwiseWeights& layer, size_t lanes, size_t count, const Value& value) {
  AlignedArray<T> packed(count * layer.out_stride);
  T* to = packed.data();
  size_t first_out = 0;
  for (const int vectors : layer.panels) {
    const size_t end_out = first_out + static_cast<size_t>(vectors) * lanes;
    for (size_t i = 0; i < count; ++i) {
      for (size_t out = first_out; out < end_out; ++out) *to++ = value(out, i);
    }
    first_out = end_out;
  }
  return packed;
}

PointwiseWeights PackPointwise(const ConvolutionWeights& convolution, const Kernels& kernels,
                               ProductPrecision precision) {
  return PackPointwise(convolution.weight, convolution.bias, convolution.out_channels, convolution.in_channels, kernels,
                       precision);
}

PointwiseWeights PackPointwise(const LinearWeights& linear, const Kernels& kernels, ProductPrecision precision) {
  return PackPointwise(linear.weight, linear.bias, linear.out_channels, linear.in_channels, kernels, precision);
}

PackedBlock PackBlock(const BlockWeights& weights, const BlockShape& shape, const Kernels& kernels,
                      ProductPrecision precision) {
  PackedBlock block;
  block.activation = shape.activation();
  block.has_residual = shape.has_residual();
  if (weights.expansion) block.expansion = PackPointwise(*weights.expansion, kernels, precision);
  block.depthwise = PackDepthwise(weights.depthwise, shape.stride, kernels);
  if (weights.squeeze_excite) {
    block.squeeze_excite = {PackPointwise(weights.squeeze_excite->fc1, kernels, precision),
                            PackPointwise(weights.squeeze_excite->fc2, kernels, precision)};
  }
  block.projection = PackPointwise(weights.projection, kernels, precision);
  return block;
}

PackedWideBlocks PackWideBlocks(const NetworkWeights& weights, const Kernels& kernels, ProductPrecision precision) {
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
  packed.projection2 = PackPointwise(block2.projection, kernels, precision);
  return packed;
}

}  // namespace

PointwiseWeights PackPointwise(const std::vector<float>& weight, const std::vector<float>& bias, int out_channels,
                               int in_channels, const Kernels& kernels, ProductPrecision precision) {
  PointwiseWeights packed;
  packed.in_channels = static_cast<size_t>(in_channels);
  packed.in_stride = kernels.Pad(packed.in_channels);
  packed.out_channels = static_cast<size_t>(out_channels);
  packed.out_stride = kernels.Pad(packed.out_channels);
  packed.panels = CutIntoPanels(static_cast<int>(packed.out_stride / kernels.lanes), kernels.max_panel_vectors);
  packed.bias = PackValues(bias, packed.out_stride);
  const auto value = [&](size_t out, size_t in) {
    return out < packed.out_channels && in < packed.in_channels ? weight[out * packed.in_channels + in] : 0.0f;
  };
  if (precision == ProductPrecision::kBfloat16) {
    const size_t pairs = (packed.in_channels + 1) / 2;
    packed.pairs = PackPanels<uint32_t>(packed, kernels.lanes, pairs, [&](size_t out, size_t pair) {
      return MakePair(value(out, 2 * pair), value(out, 2 * pair + 1));
    });
  } else {
    packed.weight = PackPanels<float>(packed, kernels.lanes, packed.in_channels, value);
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

PackedNetwork PackNetwork(const NetworkWeights& weights, const MelSettings& mel, const Kernels& kernels,
                          ProductPrecision precision) {
  PackedNetwork packed;
  packed.shape = weights.shape;
  packed.head = weights.head;
  packed.mel = mel;
  // The products in front of the logits stay in float32.
  const ProductPrecision head = ProductPrecision::kFloat32;
  // The largest first.
  std::vector<std::function<void()>> parts = {
      [&] { packed.last = PackPointwise(weights.last, kernels, precision); },
      [&] { packed.class_layer = PackPointwise(weights.class_layer, kernels, head); },
      [&] { packed.wide = PackWideBlocks(weights, kernels, precision); }};
  if (weights.head == HeadKind::kMlp) {
    parts.insert(parts.begin(), [&] { packed.hidden_layer = PackPointwise(weights.hidden_layer, kernels, head); });
  }
  for (size_t i = packed.blocks.size(); i-- > 0;) {
    parts.push_back([&, i] {
      const size_t block = i + kFirstPackedBlock - 1;
      packed.blocks[i] = PackBlock(weights.blocks[block], weights.shape.blocks[block], kernels, precision);
    });
  }
  InParallel(parts.size(), [&](size_t i) { parts[i](); });
  return packed;
}

}  // namespace hearwire
