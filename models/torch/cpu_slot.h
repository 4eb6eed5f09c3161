// A slot that computes on the CPU, on the calling thread.

#ifndef HEARWIRE_MODELS_TORCH_CPU_SLOT_H_
#define HEARWIRE_MODELS_TORCH_CPU_SLOT_H_

#include <memory>
#include <vector>

#include "models/chunks/slot.h"
#include "models/torch/torch_network.h"

namespace hearwire {

// networks: by their index, outlive the slot.
std::unique_ptr<Slot> MakeCpuSlot(const std::vector<std::unique_ptr<TorchNetwork>>& networks);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CPU_SLOT_H_
