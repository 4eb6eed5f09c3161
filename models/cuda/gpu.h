// A GPU as the backend sees it: memory, streams, and launches of the kernels in kernel_list.h.
//
// Behind it stand CUDA's driver (cuda_gpu.h) and, in tests, threads of a CPU that run the same kernels. All calls are
// thread-safe apart from those of a stream, which is one thread's at a time.
//
// RESOURCE_EXHAUSTED: too little memory. UNAVAILABLE: the device is lost, every later call fails. INTERNAL: else.

#ifndef HEARWIRE_MODELS_CUDA_GPU_H_
#define HEARWIRE_MODELS_CUDA_GPU_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/cuda/kernel_list.h"

namespace hearwire {

using GpuAddress = uint64_t;

#define HEARWIRE_NAME_KERNEL(name, body, Args) name,
enum class GpuKernel { HEARWIRE_KERNELS(HEARWIRE_NAME_KERNEL) kEnd };
#undef HEARWIRE_NAME_KERNEL
inline constexpr int kGpuKernels = static_cast<int>(GpuKernel::kEnd);
const char* ToText(GpuKernel kernel);

struct GpuLaunch {
  static constexpr size_t kArgsBytes = 96;

  GpuKernel kernel = {};
  unsigned blocks = 0;
  unsigned threads = 0;
  unsigned shared_bytes = 0;
  alignas(8) std::array<std::byte, kArgsBytes> args = {};  // The kernel's own struct.
};

template <typename Args>
GpuLaunch MakeLaunch(GpuKernel kernel, unsigned blocks, unsigned threads, unsigned shared_bytes, const Args& args) {
  static_assert(sizeof(Args) <= GpuLaunch::kArgsBytes && std::is_trivially_copyable_v<Args>);
  GpuLaunch launch = {kernel, blocks, threads, shared_bytes};
  std::memcpy(launch.args.data(), &args, sizeof(args));
  return launch;
}

template <typename Args>
Args ArgsOf(const GpuLaunch& launch) {
  static_assert(sizeof(Args) <= GpuLaunch::kArgsBytes && std::is_trivially_copyable_v<Args>);
  Args args;
  std::memcpy(&args, launch.args.data(), sizeof(args));
  return args;
}

// Launches that are sent at once.
class GpuGraph {
 public:
  virtual ~GpuGraph() = default;
};

// Work in the order in which it was given.
class GpuStream {
 public:
  virtual ~GpuStream() = default;

  // `from` and `to` of the host are from AllocateHost, and stay as they are until the work is done.
  virtual absl::Status CopyIn(GpuAddress to, const void* from, size_t bytes) = 0;
  virtual absl::Status CopyOut(void* to, GpuAddress from, size_t bytes) = 0;
  virtual absl::Status Launch(absl::Span<const GpuLaunch> launches) = 0;
  virtual absl::StatusOr<std::unique_ptr<GpuGraph>> Record(absl::Span<const GpuLaunch> launches) = 0;
  virtual absl::Status Launch(const GpuGraph& graph) = 0;

  // Until all that was given is done, without spinning.
  virtual absl::Status Wait() = 0;
};

class Gpu {
 public:
  virtual ~Gpu() = default;

  virtual std::string device() const = 0;  // "cuda:0"
  virtual int multiprocessors() const = 0;

  virtual absl::StatusOr<GpuAddress> Allocate(size_t bytes) = 0;
  virtual void Free(GpuAddress address) = 0;
  virtual absl::StatusOr<void*> AllocateHost(size_t bytes) = 0;
  virtual void FreeHost(void* memory) = 0;
  virtual absl::StatusOr<std::unique_ptr<GpuStream>> NewStream() = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_GPU_H_
