// The backend on LibTorch: CUDA, and the CPU as an independent check of the native kernels.

#ifndef HEARWIRE_MODELS_TORCH_TORCH_BACKEND_H_
#define HEARWIRE_MODELS_TORCH_TORCH_BACKEND_H_

#include <memory>

#include "absl/status/statusor.h"
#include "models/embedder.h"
#include "models/torch_module/torch_module.h"

namespace hearwire {

// On CUDA, NewEmbedder warms up: it runs every network on the chunk sizes of 160 ms windows and of 10 s scenes, letting
// cuDNN choose the fastest plans. INVALID_ARGUMENT: an option. FAILED_PRECONDITION: no CUDA.
absl::StatusOr<std::unique_ptr<Backend>> MakeTorchBackend(const TorchBackendOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_TORCH_BACKEND_H_
