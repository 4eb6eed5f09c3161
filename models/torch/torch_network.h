// A network's weights on a device, and its forward pass.

#ifndef HEARWIRE_MODELS_TORCH_TORCH_NETWORK_H_
#define HEARWIRE_MODELS_TORCH_TORCH_NETWORK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "models/checkpoint/network_weights.h"
#include "models/chunks/column_plan.h"
#include "models/torch/convolution.h"

namespace c10 {
struct TensorOptions;
}  // namespace c10

namespace hearwire {

// A chunk on the network's device: models/chunks/slot.h says what it holds.
struct DeviceChunk {
  at::Tensor rows;     // [rows, mels], float32, contiguous.
  at::Tensor index;    // [windows, frames], int32, contiguous: into rows.
  at::Tensor lengths;  // [windows], int32. Read only when `shortest` is below the chunk's frames.
  int64_t shortest = 0;
};

// Read-only after construction, shared by all slots. Thread-safe.
class TorchNetwork {
 public:
  virtual ~TorchNetwork() = default;

  // Gathers the windows and runs them. Returns the plan's columns [windows, width], float32, contiguous, on the
  // network's device. Padding does not change a window's columns. Runs what the plan needs and no more: blocks up to
  // the last one needed, last convolution and head only when asked. Throws LibTorch's exceptions.
  virtual at::Tensor Run(const DeviceChunk& chunk, const ColumnPlan& plan) const = 0;
};

// options: device and dtype; operators: what they allow. In float16 convolutions and linear layers compute in half, as
// does what stands between them; features are read back in float32. Copies the weights. Throws LibTorch's exceptions.
std::unique_ptr<TorchNetwork> MakeTorchNetwork(const NetworkWeights& weights, const c10::TensorOptions& options,
                                               const Operators& operators);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_TORCH_NETWORK_H_
