#include "models/cuda/cuda_backend.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "models/chunks/chunk_embedder.h"
#include "models/cuda/cuda_gpu.h"
#include "models/cuda/gpu_network.h"
#include "models/cuda/gpu_slot.h"
#include "models/cuda/kernel_binary.h"

namespace hearwire {
namespace {

// One is filled and copied while the other computes.
constexpr int kSlots = 2;

// Computes in about the time that sending its launches takes.
constexpr int kSmallChunkFrames = 1024;

// Of 160 ms, the window of nearly all configs.
constexpr int kTypicalWindowSamples = 5120;

int FrameCount(int samples, const MelSettings& mel) { return 1 + (samples - 1) / mel.hop_samples; }

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::unique_ptr<Gpu> gpu, const CudaBackendOptions& options)
      : gpu_(std::move(gpu)),
        policy_{.max_frames = options.max_batch_frames,
                .pad_windows = true,
                .exact_windows = true,
                .small_chunk_frames = kSmallChunkFrames},
        warn_(options.warn) {}

  std::string name() const override { return "cuda"; }
  std::string device() const override { return gpu_->device(); }
  std::string precision() const override { return "float32"; }

  absl::StatusOr<int> AddNetwork(std::shared_ptr<const NetworkWeights> weights, MelSettings mel) override {
    absl::StatusOr<std::unique_ptr<GpuNetwork>> network = MakeGpuNetwork(*gpu_, *weights, mel.n_mels);
    if (!network.ok()) return network.status();
    networks_.push_back(*std::move(network));
    infos_.push_back(
        {weights->shape, mel.n_mels, FrameCount(kTypicalWindowSamples, mel), FrameCount(kSceneWindowSamples, mel)});
    return static_cast<int>(networks_.size()) - 1;
  }

  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override {
    std::vector<std::unique_ptr<Slot>> slots;
    for (int i = 0; i < kSlots; ++i) {
      absl::StatusOr<std::unique_ptr<Slot>> slot = MakeGpuSlot(*gpu_, networks_, warn_);
      if (!slot.ok()) return slot.status();
      slots.push_back(*std::move(slot));
    }
    return std::make_unique<ChunkEmbedder>(infos_, std::move(slots), policy_, warn_);
  }

 private:
  const std::unique_ptr<Gpu> gpu_;
  const ChunkPolicy policy_;
  const std::function<void(const std::string&)> warn_;
  std::vector<std::unique_ptr<GpuNetwork>> networks_;
  std::vector<ChunkNetwork> infos_;
};

}  // namespace

bool HasCudaKernels() { return CudaKernelBinary() != nullptr; }

std::unique_ptr<Backend> MakeGpuBackend(std::unique_ptr<Gpu> gpu, const CudaBackendOptions& options) {
  return std::make_unique<CudaBackend>(std::move(gpu), options);
}

absl::StatusOr<std::unique_ptr<Backend>> MakeCudaBackend(const CudaBackendOptions& options) {
  int index = 0;
  const bool numbered = absl::StartsWith(options.device, "cuda:") && absl::SimpleAtoi(options.device.substr(5), &index);
  if (options.device != "cuda" && !numbered) {
    return absl::InvalidArgumentError(absl::StrCat("device \"", options.device, "\": not one of cuda, cuda:N"));
  }
  if (options.max_batch_frames < 1) {
    return absl::InvalidArgumentError(absl::StrCat("max_batch_frames ", options.max_batch_frames, ": less than 1"));
  }
  absl::StatusOr<std::unique_ptr<Gpu>> gpu = OpenCudaGpu(index);
  if (!gpu.ok()) return gpu.status();
  return MakeGpuBackend(*std::move(gpu), options);
}

}  // namespace hearwire
