// The weights of one network, checked against its shape, batch-norm folded in: what backends build from.

#ifndef HEARWIRE_MODELS_CHECKPOINT_NETWORK_WEIGHTS_H_
#define HEARWIRE_MODELS_CHECKPOINT_NETWORK_WEIGHTS_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/checkpoint.h"
#include "models/configs/config.h"
#include "models/configs/network_shape.h"

namespace hearwire {

// A convolution with its batch-norm (eps 1e-3) folded in, computed in double.
struct ConvolutionWeights {
  int out_channels = 0;
  int in_channels = 0;  // Per group: 1 for depthwise.
  int kernel = 1;
  std::vector<float> weight;  // [out_channels, in_channels, kernel, kernel]; axes 2 and 3 are mels and time.
  std::vector<float> bias;    // [out_channels]
};

// y = W x + b.
struct LinearWeights {
  int out_channels = 0;
  int in_channels = 0;
  std::vector<float> weight;  // [out_channels, in_channels]
  std::vector<float> bias;    // [out_channels]
};

struct SqueezeExciteWeights {
  LinearWeights fc1;  // To squeeze_channels.
  LinearWeights fc2;  // Back to the expanded channels.
};

struct BlockWeights {
  std::optional<ConvolutionWeights> expansion;
  ConvolutionWeights depthwise;
  std::optional<SqueezeExciteWeights> squeeze_excite;  // Between depthwise's activation and projection.
  ConvolutionWeights projection;                       // No activation behind it.
};

struct NetworkWeights {
  double width = 0;
  HeadKind head = HeadKind::kMlp;
  NetworkShape shape;
  std::string sha256;  // Of the checkpoint file.

  ConvolutionWeights stem;
  std::array<BlockWeights, kBlockCount - 1> blocks;  // blocks[i] is block i + 1.
  ConvolutionWeights last;
  // kMlp: hidden = hardswish(hidden_layer(pooled)), logits = class_layer(hidden).
  // kFullyConvolutional: logits = class_layer(pooled), its batch-norm folded in (pooling and 1 x 1 convolution
  // commute); hidden_layer is empty.
  LinearWeights hidden_layer;
  LinearWeights class_layer;
};

// Reads width, head and number of classes off the tensors' shapes, then checks every tensor's name and shape against
// them. INVALID_ARGUMENT names the first tensor that is missing, has the wrong shape (both shapes are given), is not
// known, or holds a value that is not finite. `name` is what messages call the checkpoint. The tensors' memory becomes
// the weights'.
absl::StatusOr<NetworkWeights> MakeNetworkWeights(Checkpoint checkpoint, std::string_view name);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_NETWORK_WEIGHTS_H_
