// Memory that grows when more is asked for and is given back at the end.

#ifndef HEARWIRE_MODELS_CUDA_GPU_MEMORY_H_
#define HEARWIRE_MODELS_CUDA_GPU_MEMORY_H_

#include <utility>

#include "models/cuda/gpu.h"

namespace hearwire {

class GpuMemory {
 public:
  explicit GpuMemory(Gpu& gpu) : gpu_(gpu) {}
  ~GpuMemory() { Release(); }
  GpuMemory(const GpuMemory&) = delete;
  GpuMemory& operator=(const GpuMemory&) = delete;

  // At least so many bytes; what it held is lost when it grows. Nothing may still use it then.
  absl::Status Reserve(size_t bytes) {
    if (bytes <= bytes_) return absl::OkStatus();
    Release();  // Before the new one: both need not fit.
    const absl::StatusOr<GpuAddress> address = gpu_.Allocate(bytes);
    if (!address.ok()) return address.status();
    address_ = *address;
    bytes_ = bytes;
    return absl::OkStatus();
  }
  void Release() {
    if (std::exchange(bytes_, 0) != 0) gpu_.Free(address_);
  }
  GpuAddress address() const { return address_; }

 private:
  Gpu& gpu_;
  GpuAddress address_ = 0;
  size_t bytes_ = 0;
};

// The same of the host, from where a GPU copies by itself.
class HostMemory {
 public:
  explicit HostMemory(Gpu& gpu) : gpu_(gpu) {}
  ~HostMemory() { Release(); }
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  absl::Status Reserve(size_t bytes) {
    if (bytes <= bytes_) return absl::OkStatus();
    Release();
    const absl::StatusOr<void*> memory = gpu_.AllocateHost(bytes);
    if (!memory.ok()) return memory.status();
    memory_ = *memory;
    bytes_ = bytes;
    return absl::OkStatus();
  }
  void Release() {
    if (std::exchange(bytes_, 0) != 0) gpu_.FreeHost(memory_);
  }
  template <typename T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  Gpu& gpu_;
  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_GPU_MEMORY_H_
