// A network's weights as the kernels read them: padded to the vector width, 1 x 1 convolutions cut into panels.

#ifndef HEARWIRE_MODELS_NATIVE_PACKED_NETWORK_H_
#define HEARWIRE_MODELS_NATIVE_PACKED_NETWORK_H_

#include <array>
#include <optional>
#include <vector>

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

// The stem, block 1 (which has no expansion) and block 2: 3 x 3, without squeeze-excite at every width.
struct PackedWideBlocks {
  // Some of block 2's expanded channels.
  struct Expanded {
    std::optional<PlanesPointwiseWeights> expansion;  // None in the narrowest networks: then this is all channels.
    PlanesDepthwiseWeights depthwise;
  };

  StemWeights stem;
  Activation activation1 = Activation::kRelu;
  PlanesDepthwiseWeights depthwise1;
  PlanesPointwiseWeights projection1;
  Activation activation2 = Activation::kRelu;
  std::vector<Expanded> expanded2;
  PointwiseWeights projection2;
};

inline constexpr int kFirstPackedBlock = 3;

struct PackedNetwork {
  NetworkShape shape;
  HeadKind head = HeadKind::kMlp;
  MelSettings mel;
  PackedWideBlocks wide;
  std::array<PackedBlock, kBlockCount - kFirstPackedBlock> blocks;  // blocks[i] is block i + 3.
  PointwiseWeights last;
  PointwiseWeights hidden_layer;  // Of the mlp head only.
  PointwiseWeights class_layer;

  // Block `index`, 3 to 15.
  const PackedBlock& block(int index) const { return blocks[static_cast<size_t>(index - kFirstPackedBlock)]; }
};

// What a network's products are computed in. kBfloat16: those from block 2's projection to the last convolution,
// squeeze-excite's included: in float32 these two layers would take a sixth of the gain, for errors hardly smaller.
// What comes before, depthwise convolutions and the head are float32.
enum class ProductPrecision { kFloat32, kBfloat16 };

// For kernels of the same instruction set only.
PackedNetwork PackNetwork(const NetworkWeights& weights, const MelSettings& mel, const Kernels& kernels,
                          ProductPrecision precision = ProductPrecision::kFloat32);

// Parts of it. weight: [out_channels, in_channels]; [channels, 1, kernel, kernel] with axes 2 and 3 mels and time.
PointwiseWeights PackPointwise(const std::vector<float>& weight, const std::vector<float>& bias, int out_channels,
                               int in_channels, const Kernels& kernels,
                               ProductPrecision precision = ProductPrecision::kFloat32);
DepthwiseWeights PackDepthwise(const ConvolutionWeights& convolution, int stride, const Kernels& kernels);
StemWeights PackStem(const ConvolutionWeights& convolution);
// Of output channels [first, end).
PlanesPointwiseWeights PackPlanesPointwise(const ConvolutionWeights& convolution, int first, int end);
PlanesDepthwiseWeights PackPlanesDepthwise(const ConvolutionWeights& convolution, int stride, int first, int end);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_PACKED_NETWORK_H_
