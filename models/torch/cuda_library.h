// LibTorch's CUDA half, loaded when asked for: 0.3 s and 260 MB that CPU runs do not pay.

#ifndef HEARWIRE_MODELS_TORCH_CUDA_LIBRARY_H_
#define HEARWIRE_MODELS_TORCH_CUDA_LIBRARY_H_

#include "absl/status/status.h"

namespace hearwire {

// Loads libtorch_cuda.so from beside libtorch_cpu.so and sets what holds for the whole process: SetCudaNumerics.
// FAILED_PRECONDITION: a library is missing, the message names it; or LibTorch finds no usable device. Nothing may ask
// LibTorch for CUDA before: it remembers the answer "no" for ever. Thread-safe.
absl::Status LoadCudaLibrary();

// Full float32: no TF32, whose products keep 10 bits and would cost rows 2e-3. Products of float16 are summed up in
// float32. Only deterministic convolutions: a shape's plan gives the same bits every time. (cuBLAS does by itself, with
// a workspace for each stream, which LibTorch gives it.) For the whole process, CUDA loaded or not.
void SetCudaNumerics();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CUDA_LIBRARY_H_
