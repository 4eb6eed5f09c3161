// The backend on LibTorch: CUDA, and the CPU as an independent check of the native kernels.

#ifndef HEARWIRE_MODELS_TORCH_TORCH_BACKEND_H_
#define HEARWIRE_MODELS_TORCH_TORCH_BACKEND_H_

#include <memory>

#include "absl/status/statusor.h"
#include "models/embedder.h"
#include "models/torch_module/torch_module.h"

namespace hearwire {

// On CUDA, NewEmbedder warms up (models/torch/warm_up.h). RESOURCE_EXHAUSTED from it: the device has too little memory
// to run anything.
//
// How far a row may depend on the windows that it runs with, in parts of its largest value:
//   on the CPU      1e-5. Tested, with windows of other lengths in its chunk too.
//   on CUDA         1e-4 in float32, as far as from the reference. cuBLAS chooses an algorithm by the chunk's shape,
//   and
//                   another one sums in another order. So does cuDNN, where it is asked (CudaTuning). Of the algorithms
//                   only deterministic ones are allowed, so the same chunk has the same bits. No GPU has confirmed
//                   this.
//
// INVALID_ARGUMENT: an option. FAILED_PRECONDITION: no CUDA.
absl::StatusOr<std::unique_ptr<Backend>> MakeTorchBackend(const TorchBackendOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_TORCH_BACKEND_H_
