#include "models/native/packed_network.h"

#include <algorithm>

namespace hearwire {
namespace {

// Panels as equal as they can be: 4 vectors are better two by two than three and one.
std::vector<int> CutIntoPanels(int vectors, int widest) {
  const int count = (vectors + widest - 1) / widest;
  std::vector<int> panels;
  panels.reserve(count);
  for (int i = 0; i < count; ++i) panels.push_back(vectors / count + (i < vectors % count ? 1 : 0));
  return panels;
}

AlignedFloats PackBias(const std::vector<float>& bias, size_t stride) {
  AlignedFloats packed(stride);
  std::copy(bias.begin(), bias.end(), packed.data());
  return packed;
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

}  // namespace

PointwiseWeights PackPointwise(const std::vector<float>& weight, const std::vector<float>& bias, int out_channels,
                               int in_channels, const Kernels& kernels) {
  PointwiseWeights packed;
  packed.in_channels = static_cast<size_t>(in_channels);
  packed.in_stride = kernels.Pad(packed.in_channels);
  packed.out_channels = static_cast<size_t>(out_channels);
  packed.out_stride = kernels.Pad(packed.out_channels);
  packed.panels = CutIntoPanels(static_cast<int>(packed.out_stride / kernels.lanes), kernels.max_panel_vectors);
  packed.bias = PackBias(bias, packed.out_stride);
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
  packed.bias = PackBias(convolution.bias, packed.channel_stride);
  return packed;
}

StemWeights PackStem(const ConvolutionWeights& convolution, const Kernels& kernels) {
  StemWeights packed;
  packed.out_stride = kernels.Pad(static_cast<size_t>(convolution.out_channels));
  packed.weight = PackTaps(convolution, packed.out_stride);
  packed.bias = PackBias(convolution.bias, packed.out_stride);
  return packed;
}

PackedNetwork PackNetwork(const NetworkWeights& weights, const MelSettings& mel, const Kernels& kernels) {
  PackedNetwork packed;
  packed.shape = weights.shape;
  packed.head = weights.head;
  packed.mel = mel;
  packed.stem = PackStem(weights.stem, kernels);
  for (size_t i = 0; i < packed.blocks.size(); ++i) {
    packed.blocks[i] = PackBlock(weights.blocks[i], weights.shape.blocks[i], kernels);
  }
  packed.last = PackPointwise(weights.last, kernels);
  if (weights.head == HeadKind::kMlp) packed.hidden_layer = PackPointwise(weights.hidden_layer, kernels);
  packed.class_layer = PackPointwise(weights.class_layer, kernels);
  return packed;
}

}  // namespace hearwire
