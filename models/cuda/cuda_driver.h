// CUDA's driver API: the functions that are used, found by their names in libcuda.so.1. Types are restated, so that
// nothing of CUDA is needed to compile.

#ifndef HEARWIRE_MODELS_CUDA_CUDA_DRIVER_H_
#define HEARWIRE_MODELS_CUDA_CUDA_DRIVER_H_

#include <cstddef>

#include "absl/status/statusor.h"

namespace hearwire {

using CuResult = int;
using CuDevice = int;
using CuContext = struct CuContextOpaque*;
using CuModule = struct CuModuleOpaque*;
using CuFunction = struct CuFunctionOpaque*;
using CuStream = struct CuStreamOpaque*;
using CuEvent = struct CuEventOpaque*;
using CuGraph = struct CuGraphOpaque*;
using CuGraphExec = struct CuGraphExecOpaque*;
using CuAddress = unsigned long long;

inline constexpr CuResult kCuSuccess = 0;
inline constexpr CuResult kCuOutOfMemory = 2;
inline constexpr CuResult kCuNoBinary = 209;        // No code for this GPU.
inline constexpr CuResult kCuUnsupportedPtx = 222;  // The driver is older than the compiler.
inline constexpr int kCuMultiprocessors = 16;
inline constexpr int kCuMaxDynamicShared = 8;   // Attribute of a function.
inline constexpr unsigned kCuNonBlocking = 1;   // A stream apart from the default one.
inline constexpr unsigned kCuBlockingSync = 1;  // An event whose waiters sleep.
inline constexpr unsigned kCuDisableTiming = 2;
inline constexpr int kCuCaptureThreadLocal = 1;

// X(name, its symbol, its arguments)
#define HEARWIRE_CUDA_FUNCTIONS(X)                                                                                \
  X(init, "cuInit", (unsigned))                                                                                   \
  X(error_name, "cuGetErrorName", (CuResult, const char**))                                                       \
  X(device_count, "cuDeviceGetCount", (int*))                                                                     \
  X(device, "cuDeviceGet", (CuDevice*, int))                                                                      \
  X(device_attribute, "cuDeviceGetAttribute", (int*, int, CuDevice))                                              \
  X(device_name, "cuDeviceGetName", (char*, int, CuDevice))                                                       \
  X(retain_context, "cuDevicePrimaryCtxRetain", (CuContext*, CuDevice))                                           \
  X(release_context, "cuDevicePrimaryCtxRelease_v2", (CuDevice))                                                  \
  X(set_context, "cuCtxSetCurrent", (CuContext))                                                                  \
  X(load_module, "cuModuleLoadData", (CuModule*, const void*))                                                    \
  X(unload_module, "cuModuleUnload", (CuModule))                                                                  \
  X(function, "cuModuleGetFunction", (CuFunction*, CuModule, const char*))                                        \
  X(set_function_attribute, "cuFuncSetAttribute", (CuFunction, int, int))                                         \
  X(allocate, "cuMemAlloc_v2", (CuAddress*, size_t))                                                              \
  X(free, "cuMemFree_v2", (CuAddress))                                                                            \
  X(allocate_host, "cuMemHostAlloc", (void**, size_t, unsigned))                                                  \
  X(free_host, "cuMemFreeHost", (void*))                                                                          \
  X(copy_in, "cuMemcpyHtoDAsync_v2", (CuAddress, const void*, size_t, CuStream))                                  \
  X(copy_out, "cuMemcpyDtoHAsync_v2", (void*, CuAddress, size_t, CuStream))                                       \
  X(create_stream, "cuStreamCreate", (CuStream*, unsigned))                                                       \
  X(destroy_stream, "cuStreamDestroy_v2", (CuStream))                                                             \
  X(synchronize_stream, "cuStreamSynchronize", (CuStream))                                                        \
  X(create_event, "cuEventCreate", (CuEvent*, unsigned))                                                          \
  X(destroy_event, "cuEventDestroy_v2", (CuEvent))                                                                \
  X(record_event, "cuEventRecord", (CuEvent, CuStream))                                                           \
  X(synchronize_event, "cuEventSynchronize", (CuEvent))                                                           \
  X(launch, "cuLaunchKernel",                                                                                     \
    (CuFunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CuStream, void**, void**)) \
  X(begin_capture, "cuStreamBeginCapture_v2", (CuStream, int))                                                    \
  X(end_capture, "cuStreamEndCapture", (CuStream, CuGraph*))                                                      \
  X(instantiate_graph, "cuGraphInstantiateWithFlags", (CuGraphExec*, CuGraph, unsigned long long))                \
  X(destroy_graph, "cuGraphDestroy", (CuGraph))                                                                   \
  X(destroy_graph_exec, "cuGraphExecDestroy", (CuGraphExec))                                                      \
  X(launch_graph, "cuGraphLaunch", (CuGraphExec, CuStream))

struct CudaDriver {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration.
#define HEARWIRE_CUDA_MEMBER(name, symbol, arguments) CuResult(*name) arguments = nullptr;
  HEARWIRE_CUDA_FUNCTIONS(HEARWIRE_CUDA_MEMBER)
#undef HEARWIRE_CUDA_MEMBER
};

// Opens the library and starts it. It stays loaded. FAILED_PRECONDITION: it is not there, lacks a function or does not
// start; the message says which, and what would help.
absl::StatusOr<CudaDriver> LoadCudaDriver(const char* file);

// libcuda.so.1, loaded once for the process. Thread-safe.
absl::StatusOr<const CudaDriver*> OpenCudaDriver();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_CUDA_DRIVER_H_
