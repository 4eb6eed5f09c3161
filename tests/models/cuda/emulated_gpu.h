// A GPU that is a CPU: the same kernels, compiled by this machine's compiler, a thread block at a time.
//
// Its tensor cores drop what TF32 has no bits for and add in float32, in the order of the terms.

#ifndef HEARWIRE_TESTS_MODELS_CUDA_EMULATED_GPU_H_
#define HEARWIRE_TESTS_MODELS_CUDA_EMULATED_GPU_H_

#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>

#include "models/cuda/gpu.h"

namespace hearwire {

// What goes wrong, and what is seen of the GPU; shared with the GPU's owner.
struct EmulatedFaults {
  std::atomic<size_t> memory_bytes = std::numeric_limits<size_t>::max();  // More is not had.
  std::atomic<size_t> allocated_bytes = 0;
  std::atomic<int> waits_until_lost = -1;  // So many waits succeed before the device is lost; negative: all do.
  std::atomic<int> recorded = 0;           // Graphs.
  std::atomic<int> replayed = 0;
  std::atomic<int> busy_streams = 0;  // With work that nobody has waited for.
  std::atomic<int> most_busy_streams = 0;
};

std::unique_ptr<Gpu> MakeEmulatedGpu(std::shared_ptr<EmulatedFaults> faults = nullptr);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_CUDA_EMULATED_GPU_H_
