// The layout of EfficientAT's MobileNetV3-Large at a width: channels, kernels, strides of every block.

#ifndef HEARWIRE_MODELS_CONFIGS_NETWORK_SHAPE_H_
#define HEARWIRE_MODELS_CONFIGS_NETWORK_SHAPE_H_

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "models/configs/feature.h"

namespace hearwire {

// Those that published networks tell apart.
inline constexpr int kAudioSetClassCount = 527;

// Behind a convolution.
enum class Activation : uint8_t { kNone, kRelu, kHardswish };

struct BlockShape {
  int in_channels;
  int expanded_channels;  // Equal to in_channels: the block has no expansion.
  int out_channels;
  int kernel;            // Of the depthwise convolution: 3 or 5, padded by kernel / 2.
  int stride;            // 1 or 2, on both axes.
  int squeeze_channels;  // 0: no squeeze-excite.
  bool hardswish;        // Else ReLU.

  Activation activation() const { return hardswish ? Activation::kHardswish : Activation::kRelu; }
  bool has_expansion() const { return expanded_channels != in_channels; }
  bool has_residual() const { return stride == 1 && in_channels == out_channels; }
};

struct NetworkShape {
  int stem_channels;                               // First convolution, 3 x 3, stride 2, hardswish.
  std::array<BlockShape, kBlockCount - 1> blocks;  // blocks[i] is block i + 1.
  int last_channels;                               // Last convolution, 1 x 1, hardswish.
  int hidden_channels;                             // clf2 of the mlp head.
  int class_count;                                 // Length of the logits.
};

// The published rule: every channel count of MobileNetV3-Large times the width, rounded to a multiple of 8 and never
// below 90 % of it (Howard et al. 2019, torchvision's _make_divisible). width: 0.1 to 4.0.
NetworkShape MakeNetworkShape(double width, int class_count = kAudioSetClassCount);

// Height of block i's map (i = 0: the first convolution) for a spectrogram of `size` bands; likewise for its frames.
int BlockOutputSize(int block, int size);

// Values of one readout: the sum of the features' sizes under the pooling.
int ReadoutSize(const NetworkShape& shape, int n_mels, const Readout& readout);

// Values of a row of several readouts, one after the other.
int RowSize(const NetworkShape& shape, int n_mels, absl::Span<const Readout> readouts);

// Values of one feature of a readout.
int FeatureSize(const NetworkShape& shape, int n_mels, Feature feature, Pooling pooling);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CONFIGS_NETWORK_SHAPE_H_
