#include "tests/models/cuda/emulated_gpu.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/models/cuda/emulated_kernels.h"

namespace hearwire {
namespace {

class EmulatedGraph final : public GpuGraph {
 public:
  explicit EmulatedGraph(absl::Span<const GpuLaunch> launches) : launches(launches.begin(), launches.end()) {}
  const std::vector<GpuLaunch> launches;
};

class EmulatedStream final : public GpuStream {
 public:
  explicit EmulatedStream(std::shared_ptr<EmulatedFaults> faults) : faults_(std::move(faults)) {}

  absl::Status CopyIn(GpuAddress to, const void* from, size_t bytes) override {
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return absl::OkStatus();
  }
  absl::Status CopyOut(void* to, GpuAddress from, size_t bytes) override {
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return absl::OkStatus();
  }
  absl::Status Launch(absl::Span<const GpuLaunch> launches) override {
    if (!std::exchange(busy_, true))
      faults_->most_busy_streams = std::max<int>(faults_->most_busy_streams, ++faults_->busy_streams);
    for (const GpuLaunch& launch : launches) RunEmulated(launch);
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<GpuGraph>> Record(absl::Span<const GpuLaunch> launches) override {
    ++faults_->recorded;
    return std::make_unique<EmulatedGraph>(launches);
  }
  absl::Status Launch(const GpuGraph& graph) override {
    ++faults_->replayed;
    return Launch(static_cast<const EmulatedGraph&>(graph).launches);
  }
  absl::Status Wait() override {
    if (std::exchange(busy_, false)) --faults_->busy_streams;
    if (faults_->waits_until_lost == 0) return absl::UnavailableError("the device is lost");
    if (faults_->waits_until_lost > 0) --faults_->waits_until_lost;
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<EmulatedFaults> faults_;
  bool busy_ = false;
};

class EmulatedGpu final : public Gpu {
 public:
  explicit EmulatedGpu(std::shared_ptr<EmulatedFaults> faults) : faults_(std::move(faults)) {}

  std::string device() const override { return "cuda:0"; }
  int multiprocessors() const override { return 132; }

  absl::StatusOr<GpuAddress> Allocate(size_t bytes) override {
    std::lock_guard lock(mu_);
    if (bytes > faults_->memory_bytes || faults_->allocated_bytes > faults_->memory_bytes - bytes) {
      return absl::ResourceExhaustedError("no memory left");
    }
    // Nothing that a kernel did not write is a number.
    void* const memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(memory, 0xff, bytes);
    const GpuAddress address = reinterpret_cast<GpuAddress>(memory);
    sizes_[address] = bytes;
    faults_->allocated_bytes += bytes;
    return address;
  }
  void Free(GpuAddress address) override {
    std::lock_guard lock(mu_);
    faults_->allocated_bytes -= sizes_.at(address);
    sizes_.erase(address);
    std::free(reinterpret_cast<void*>(address));
  }
  absl::StatusOr<void*> AllocateHost(size_t bytes) override { return std::malloc(bytes); }
  void FreeHost(void* memory) override { std::free(memory); }
  absl::StatusOr<std::unique_ptr<GpuStream>> NewStream() override { return std::make_unique<EmulatedStream>(faults_); }

 private:
  const std::shared_ptr<EmulatedFaults> faults_;
  std::mutex mu_;
  std::map<GpuAddress, size_t> sizes_;
};

}  // namespace

std::unique_ptr<Gpu> MakeEmulatedGpu(std::shared_ptr<EmulatedFaults> faults) {
  return std::make_unique<EmulatedGpu>(faults ? std::move(faults) : std::make_shared<EmulatedFaults>());
}

}  // namespace hearwire
