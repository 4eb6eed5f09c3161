// The backend on GPUs: float32 with kernels of its own.

#ifndef HEARWIRE_MODELS_CUDA_CUDA_BACKEND_H_
#define HEARWIRE_MODELS_CUDA_CUDA_BACKEND_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "models/cuda/gpu.h"
#include "models/embedder.h"

namespace hearwire {

struct CudaBackendOptions {
  std::string device = "cuda";  // Or "cuda:N".
  // Frames that run at once: bounds memory. Larger batches run in parts.
  int max_batch_frames = 32768;
  // As TorchBackendOptions::warn.
  std::function<void(const std::string& message)> warn = nullptr;
};

// A row has the same bits whatever shares its batch. Nothing is prepared: the first batch is as fast as the next.
// INVALID_ARGUMENT: an option. FAILED_PRECONDITION: no CUDA, no device, no kernels for it.
absl::StatusOr<std::unique_ptr<Backend>> MakeCudaBackend(const CudaBackendOptions& options);

// Whether this program was built with kernels for GPUs.
bool HasCudaKernels();

// On a GPU that is given.
std::unique_ptr<Backend> MakeGpuBackend(std::unique_ptr<Gpu> gpu, const CudaBackendOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_CUDA_BACKEND_H_
