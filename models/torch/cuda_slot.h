// A slot that computes on a CUDA device. Compiled always, never yet run on a GPU.

#ifndef HEARWIRE_MODELS_TORCH_CUDA_SLOT_H_
#define HEARWIRE_MODELS_TORCH_CUDA_SLOT_H_

#include <memory>
#include <vector>

#include "models/torch/slot.h"
#include "models/torch/torch_network.h"

namespace c10 {
struct Device;
}  // namespace c10

namespace hearwire {

// Slots of one worker: they share a stream for kernels, and each has a stream for its copies from and to pinned memory,
// so that one slot's copies run beside another's kernels. networks: by their index, on `device`; they outlive the
// slots. Throws LibTorch's exceptions.
std::vector<std::unique_ptr<Slot>> MakeCudaSlots(const std::vector<std::unique_ptr<TorchNetwork>>& networks,
                                                 const c10::Device& device, int count);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CUDA_SLOT_H_
