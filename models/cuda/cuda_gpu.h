// A GPU behind CUDA's driver, libcuda.so.1, which is opened when it is asked for: no CUDA library is linked, and none
// but the driver is needed where the program runs.

#ifndef HEARWIRE_MODELS_CUDA_CUDA_GPU_H_
#define HEARWIRE_MODELS_CUDA_CUDA_GPU_H_

#include <memory>

#include "absl/status/statusor.h"
#include "models/cuda/cuda_driver.h"
#include "models/cuda/gpu.h"

namespace hearwire {

// With the machine's driver and the kernels that this program was built with. FAILED_PRECONDITION: no kernels, no
// driver, no such device, or one that the kernels were not compiled for. The message says what would help.
absl::StatusOr<std::unique_ptr<Gpu>> OpenCudaGpu(int index);

// With a driver and kernels that are given; both outlive the GPU.
absl::StatusOr<std::unique_ptr<Gpu>> OpenCudaGpu(const CudaDriver& driver, const void* kernels, int index);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_CUDA_GPU_H_
