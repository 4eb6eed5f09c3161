// The kernels for GPUs.

#include <cuda_runtime.h>

#include <math.h>

#define HEARWIRE_UNROLL _Pragma("unroll")

namespace hearwire {

__device__ inline float* SharedFloats() {
  extern __shared__ float4 shared[];
  return reinterpret_cast<float*>(shared);
}

__device__ inline void SyncThreads() { __syncthreads(); }

// Copies 16 bytes to shared memory, or writes zeros; done after WaitForCopies.
__device__ inline void CopyAsync16(float* to, const float* from, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from),
               "r"(inside ? 16 : 0)
               : "memory");
}
__device__ inline void CommitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// All but the last kPending groups that were committed are done.
template <int kPending>
__device__ inline void WaitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// sums [16, 8] += x [16, 8] w [8, 8], spread over the lanes of a warp (PTX: mma.m16n8k8).
__device__ inline void MultiplyTf32(float (&sums)[4], unsigned x0, unsigned x1, unsigned x2, unsigned x3, unsigned w0,
                                    unsigned w1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(x0), "r"(x1), "r"(x2), "r"(x3), "r"(w0), "r"(w1));
}

}  // namespace hearwire

#include "models/cuda/kernel_list.h"
#include "models/cuda/kernels.cuh"

namespace hearwire {

#define HEARWIRE_CALL(body, args) body(args)
#define HEARWIRE_DEFINE(name, body, Args) \
  extern "C" __global__ void name(const __grid_constant__ Args args) { HEARWIRE_CALL(body, args); }
HEARWIRE_KERNELS(HEARWIRE_DEFINE)

}  // namespace hearwire
