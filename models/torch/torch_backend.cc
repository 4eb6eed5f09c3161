#include "models/torch/torch_backend.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/TensorOptions.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "models/torch/chunk_embedder.h"
#include "models/torch/cpu_slot.h"
#include "models/torch/cuda_library.h"
#include "models/torch/cuda_slot.h"
#include "models/torch/torch_errors.h"
#include "models/torch/torch_network.h"

namespace hearwire {
namespace {

// Windows of 16 frames run 64 at a time on the CPU, and a scene of 10 s alone: more brings no speed there.
constexpr int kCpuChunkFrames = 1024;

// Modelled, not measured: an H100 computes 4096 frames of mn10 in about the time that launching the kernels takes.
constexpr int kSmallChunkFrames = 4096;

// Two slots: one is filled and copied while the other computes.
constexpr int kCudaSlots = 2;

// What CUDA embedders warm up with.
constexpr int kWarmWindowSamples = 5120;

int FrameCount(int samples, const MelSettings& mel) { return 1 + (samples - 1) / mel.hop_samples; }

class TorchBackend final : public Backend {
 public:
  TorchBackend(c10::Device device, at::ScalarType dtype, const ChunkPolicy& policy,
               std::function<void(const std::string&)> warn)
      : device_(device), options_(at::TensorOptions(device).dtype(dtype)), policy_(policy), warn_(std::move(warn)) {}

  std::string name() const override { return "torch"; }
  std::string device() const override { return device_.str(); }
  std::string precision() const override { return options_.dtype() == at::kHalf ? "float16" : "float32"; }

  absl::StatusOr<int> AddNetwork(std::shared_ptr<const NetworkWeights> weights, MelSettings mel) override {
    const absl::Status status = CatchTorchErrors([&] {
      std::unique_ptr<TorchNetwork> network = MakeTorchNetwork(*weights, options_);
      // Weights are laid out on this thread's stream; workers read them on their own.
      if (!device_.is_cpu()) c10::impl::VirtualGuardImpl(device_.type()).synchronizeDevice(device_.index());
      networks_.push_back(std::move(network));
      infos_.push_back({weights->shape, mel.n_mels, FrameCount(kSceneWindowSamples, mel)});
      mels_.push_back(mel);
    });
    if (!status.ok()) return status;
    return static_cast<int>(networks_.size()) - 1;
  }

  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override {
    std::unique_ptr<Embedder> embedder;
    const absl::Status status = CatchTorchErrors([&] {
      at::set_num_threads(1);  // For this thread: workers are the parallelism.
      std::vector<std::unique_ptr<Slot>> slots;
      if (device_.is_cpu()) {
        slots.push_back(MakeCpuSlot(networks_));
      } else {
        slots = MakeCudaSlots(networks_, device_, kCudaSlots);
      }
      embedder = std::make_unique<ChunkEmbedder>(infos_, std::move(slots), policy_, warn_);
    });
    if (!status.ok()) return status;
    if (!device_.is_cpu()) {
      if (absl::Status warm = WarmUp(*embedder); !warm.ok()) return warm;
    }
    return embedder;
  }

 private:
  // Runs every network in every chunk size of windows and scenes. cuDNN tries plans for the sizes that it meets here,
  // and keeps the fastest for this thread; sizes that it meets later get the plan that its rules of thumb name.
  absl::Status WarmUp(Embedder& embedder) {
    const std::lock_guard<std::mutex> lock(warm_up_mu_);
    at::globalContext().setBenchmarkCuDNN(true);
    absl::Status status;
    for (size_t i = 0; i < networks_.size() && status.ok(); ++i) {
      for (const int samples : {kWarmWindowSamples, kSceneWindowSamples}) {
        status.Update(WarmUp(embedder, static_cast<int>(i), FrameCount(samples, mels_[i])));
      }
    }
    at::globalContext().setBenchmarkCuDNN(false);
    return status;
  }

  absl::Status WarmUp(Embedder& embedder, int network, int frames) {
    const int mels = infos_[network].mels;
    Readout readout;
    readout.features.Add(Feature::kLogits);
    const std::vector<float> spectrogram(size_t{1} * frames * mels);
    Window window;
    window.runs[0] = {spectrogram.data(), frames};
    window.mels = mels;
    std::vector<float> row(ReadoutSize(infos_[network].shape, mels, readout));
    for (int windows = 1; windows <= RoundDownWindows(policy_.max_frames / frames);
         windows = RoundUpWindows(windows + 1)) {
      const std::vector<WindowRequest> batch(windows, {window, readout, row.data()});
      if (absl::Status status = embedder.Embed(network, batch); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  const c10::Device device_;
  const at::TensorOptions options_;
  const ChunkPolicy policy_;
  const std::function<void(const std::string&)> warn_;
  std::vector<std::unique_ptr<TorchNetwork>> networks_;
  std::vector<ChunkEmbedder::Network> infos_;
  std::vector<MelSettings> mels_;
  std::mutex warm_up_mu_;  // The switch for trying plans is the process's.
};

absl::StatusOr<c10::Device> MakeDevice(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  int index = 0;
  const bool numbered = absl::StartsWith(name, "cuda:") && absl::SimpleAtoi(name.substr(5), &index);
  if (name != "cuda" && !numbered) {
    return absl::InvalidArgumentError(absl::StrCat("device \"", name, "\": not one of cpu, cuda, cuda:N"));
  }
  if (absl::Status status = LoadCudaLibrary(); !status.ok()) return status;
  const int count = c10::impl::VirtualGuardImpl(c10::kCUDA).deviceCount();
  if (index < 0 || index >= count) {
    return absl::InvalidArgumentError(absl::StrCat("device \"", name, "\": the machine has ", count, " CUDA devices"));
  }
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> MakeTorchBackend(const TorchBackendOptions& options) {
  if (options.precision != "float32" && options.precision != "float16") {
    return absl::InvalidArgumentError(absl::StrCat("precision \"", options.precision, "\": not float32 or float16"));
  }
  const bool half = options.precision == "float16";
  if (half && options.device == "cpu") {
    return absl::InvalidArgumentError("precision \"float16\" is for device cuda; the cpu computes in float32");
  }
  if (options.max_batch_frames < 1) {
    return absl::InvalidArgumentError(absl::StrCat("max_batch_frames ", options.max_batch_frames, ": less than 1"));
  }
  absl::StatusOr<c10::Device> device = absl::InternalError("not made");
  const absl::Status status = CatchTorchErrors([&] {
    at::set_num_threads(1);
    device = MakeDevice(options.device);
  });
  if (!status.ok()) return status;
  if (!device.ok()) return device.status();
  ChunkPolicy policy;
  policy.max_frames = device->is_cpu() ? kCpuChunkFrames : options.max_batch_frames;
  policy.pad_windows = options.pad_windows.value_or(!device->is_cpu());
  if (policy.pad_windows) policy.small_chunk_frames = kSmallChunkFrames;
  return std::make_unique<TorchBackend>(*device, half ? at::kHalf : at::kFloat, policy, options.warn);
}

}  // namespace hearwire
