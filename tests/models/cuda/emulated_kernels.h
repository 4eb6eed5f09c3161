// Runs a kernel's thread blocks one after the other, each thread as a coroutine of this thread.

#ifndef HEARWIRE_TESTS_MODELS_CUDA_EMULATED_KERNELS_H_
#define HEARWIRE_TESTS_MODELS_CUDA_EMULATED_KERNELS_H_

#include "models/cuda/gpu.h"

namespace hearwire {

void RunEmulated(const GpuLaunch& launch);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_CUDA_EMULATED_KERNELS_H_
