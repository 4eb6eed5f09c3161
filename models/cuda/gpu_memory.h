// Memory that grows when more is asked for and is given back at the end.

#ifndef HEARWIRE_MODELS_CUDA_GPU_MEMORY_H_
#define HEARWIRE_MODELS_CUDA_GPU_MEMORY_H_

#include <utility>

#include "models/cuda/gpu.h"

namespace hearwire {

template <typename Address, absl::StatusOr<Address> (Gpu::*kAllocate)(size_t), void (Gpu::*kFree)(Address)>
class GrowingMemory {
 public:
  explicit GrowingMemory(Gpu& gpu) : gpu_(gpu) {}
  ~GrowingMemory() { Release(); }
  GrowingMemory(const GrowingMemory&) = delete;
  GrowingMemory& operator=(const GrowingMemory&) = delete;

  // At least so many bytes; what it held is lost when it grows. Nothing may still use it then.
  absl::Status Reserve(size_t bytes) {
    if (bytes <= bytes_) return absl::OkStatus();
    Release();  // Before the new one: both need not fit.
    const absl::StatusOr<Address> address = (gpu_.*kAllocate)(bytes);
    if (!address.ok()) return address.status();
    address_ = *address;
    bytes_ = bytes;
    return absl::OkStatus();
  }
  void Release() {
    if (std::exchange(bytes_, 0) != 0) (gpu_.*kFree)(address_);
  }
  Address address() const { return address_; }
  // The host's.
  template <typename T>
  T* as() const {
    return static_cast<T*>(address_);
  }

 private:
  Gpu& gpu_;
  Address address_ = {};
  size_t bytes_ = 0;
};

using GpuMemory = GrowingMemory<GpuAddress, &Gpu::Allocate, &Gpu::Free>;
// Of the host, from where a GPU copies by itself.
using HostMemory = GrowingMemory<void*, &Gpu::AllocateHost, &Gpu::FreeHost>;

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_GPU_MEMORY_H_
