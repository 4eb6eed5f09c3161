// LibTorch's CUDA half, loaded when asked for: 0.3 s and 260 MB that CPU runs do not pay. Never yet run on a GPU.

#ifndef HEARWIRE_MODELS_TORCH_CUDA_LIBRARY_H_
#define HEARWIRE_MODELS_TORCH_CUDA_LIBRARY_H_

#include "absl/status/status.h"

namespace hearwire {

// Loads libtorch_cuda.so from beside libtorch_cpu.so and sets what holds for the whole process: full float32 (no TF32),
// deterministic convolutions, and a bounded cache of cuDNN plans. FAILED_PRECONDITION: a library is missing, the
// message names it; or LibTorch finds no usable device. Nothing may ask LibTorch for CUDA before: it remembers the
// answer "no" for ever. Thread-safe.
absl::Status LoadCudaLibrary();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CUDA_LIBRARY_H_
