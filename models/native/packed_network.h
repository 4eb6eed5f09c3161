// A network's weights as the kernels read them: padded to the vector width, 1 x 1 convolutions cut into panels.

#ifndef HEARWIRE_MODELS_NATIVE_PACKED_NETWORK_H_
#define HEARWIRE_MODELS_NATIVE_PACKED_NETWORK_H_

#include <array>
#include <optional>

#include "models/checkpoint/network_weights.h"
#include "models/configs/config.h"
#include "models/native/kernels.h"

namespace hearwire {

struct PackedBlock {
  struct SqueezeExcite {
    PointwiseWeights fc1;
    PointwiseWeights fc2;
  };

  Activation activation = Activation::kRelu;
  bool has_residual = false;
  std::optional<PointwiseWeights> expansion;
  DepthwiseWeights depthwise;
  std::optional<SqueezeExcite> squeeze_excite;
  PointwiseWeights projection;

  int kernel() const { return depthwise.kernel; }
  int stride() const { return depthwise.stride; }
};

struct PackedNetwork {
  NetworkShape shape;
  HeadKind head = HeadKind::kMlp;
  MelSettings mel;
  StemWeights stem;
  std::array<PackedBlock, kBlockCount - 1> blocks;  // blocks[i] is block i + 1.
  PointwiseWeights last;
  PointwiseWeights hidden_layer;  // Of the mlp head only.
  PointwiseWeights class_layer;
};

// For kernels of the same instruction set only.
PackedNetwork PackNetwork(const NetworkWeights& weights, const MelSettings& mel, const Kernels& kernels);

// Parts of it. weight: [out_channels, in_channels]; [channels, 1, kernel, kernel] with axes 2 and 3 mels and time.
PointwiseWeights PackPointwise(const std::vector<float>& weight, const std::vector<float>& bias, int out_channels,
                               int in_channels, const Kernels& kernels);
DepthwiseWeights PackDepthwise(const ConvolutionWeights& convolution, int stride, const Kernels& kernels);
StemWeights PackStem(const ConvolutionWeights& convolution, const Kernels& kernels);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_PACKED_NETWORK_H_
