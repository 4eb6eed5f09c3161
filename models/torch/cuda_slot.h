// A slot that computes on a CUDA device.

#ifndef HEARWIRE_MODELS_TORCH_CUDA_SLOT_H_
#define HEARWIRE_MODELS_TORCH_CUDA_SLOT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/chunks/slot.h"
#include "models/torch/graph_recorder.h"
#include "models/torch/torch_network.h"

namespace c10 {
struct Device;
}  // namespace c10

namespace hearwire {

// Slots of one worker: they share a stream for kernels, and each has a stream for its copies from and to pinned memory,
// so that one slot's copies run beside another's kernels. networks: by their index, on `device`; they outlive the
// slots. graphs: records chunks that come again and again, without padded windows (models/chunks/chunk_graphs.h); null:
// none. warn: takes a message when a chunk could not be recorded; may be null. Throws LibTorch's exceptions.
std::vector<std::unique_ptr<Slot>> MakeCudaSlots(const std::vector<std::unique_ptr<TorchNetwork>>& networks,
                                                 const c10::Device& device, int count,
                                                 const std::shared_ptr<GraphRecorder>& graphs,
                                                 const std::function<void(const std::string& message)>& warn);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CUDA_SLOT_H_
