// The compiled kernels: what nvcc made of kernels.cu, for several kinds of GPU, embedded in the program.

#ifndef HEARWIRE_MODELS_CUDA_KERNEL_BINARY_H_
#define HEARWIRE_MODELS_CUDA_KERNEL_BINARY_H_

namespace hearwire {

// Null: built without a CUDA compiler.
const void* CudaKernelBinary();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_KERNEL_BINARY_H_
