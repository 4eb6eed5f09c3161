// A network's weights on a device, and its forward pass.

#ifndef HEARWIRE_MODELS_TORCH_TORCH_NETWORK_H_
#define HEARWIRE_MODELS_TORCH_TORCH_NETWORK_H_

#include <memory>

#include "models/checkpoint/network_weights.h"
#include "models/torch/column_plan.h"

namespace at {
class Tensor;
}  // namespace at
namespace c10 {
struct TensorOptions;
}  // namespace c10

namespace hearwire {

// Read-only after construction, shared by all slots. Thread-safe.
class TorchNetwork {
 public:
  virtual ~TorchNetwork() = default;

  // spectrograms: [windows, frames, mels], float32, contiguous. Returns the plan's columns [windows, width], float32,
  // contiguous. Runs what the plan needs and no more: blocks up to the last one needed, last convolution and head only
  // when asked. Both tensors are on the network's device. Throws LibTorch's exceptions.
  virtual at::Tensor Run(const at::Tensor& spectrograms, const ColumnPlan& plan) const = 0;
};

// options: device and dtype. In float16 convolutions and linear layers compute in half, as does what stands between
// them; features are read back in float32. Copies the weights. Throws LibTorch's exceptions.
std::unique_ptr<TorchNetwork> MakeTorchNetwork(const NetworkWeights& weights, const c10::TensorOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_TORCH_NETWORK_H_
