// A chunk on its way through a GPU: copied in, run and copied out on a stream of its own.

#ifndef HEARWIRE_MODELS_CUDA_GPU_SLOT_H_
#define HEARWIRE_MODELS_CUDA_GPU_SLOT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/chunks/slot.h"
#include "models/cuda/gpu_network.h"

namespace hearwire {

// Networks and GPU outlive the slot. warn: as ChunkGraphs'; may be null.
absl::StatusOr<std::unique_ptr<Slot>> MakeGpuSlot(Gpu& gpu, const std::vector<std::unique_ptr<GpuNetwork>>& networks,
                                                  const std::function<void(const std::string& message)>& warn);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_GPU_SLOT_H_
