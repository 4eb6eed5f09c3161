#include "models/torch/torch_backend.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/TensorOptions.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "models/chunks/chunk_embedder.h"
#include "models/torch/cpu_slot.h"
#include "models/torch/cuda_library.h"
#include "models/torch/cuda_slot.h"
#include "models/torch/torch_errors.h"
#include "models/torch/torch_network.h"
#include "models/torch/warm_up.h"

namespace hearwire {
namespace {

// Windows of 16 frames run 64 at a time on the CPU, and a scene of 10 s alone: more brings no speed there.
constexpr int kCpuChunkFrames = 1024;

// Narrow networks were measured to take 1.5 ms for a chunk of one window: chunks are filled up rather than cut.
constexpr int kCpuSmallChunkFrames = 1024;

// Modelled, not measured: an H100 computes 4096 frames of mn10 in about the time that launching the kernels takes.
constexpr int kSmallChunkFrames = 4096;

// Two slots: one is filled and copied while the other computes.
constexpr int kCudaSlots = 2;

// Of 160 ms, the window of nearly all configs.
constexpr int kTypicalWindowSamples = 5120;

int FrameCount(int samples, const MelSettings& mel) { return 1 + (samples - 1) / mel.hop_samples; }

class TorchBackend final : public Backend {
 public:
  TorchBackend(c10::Device device, at::ScalarType dtype, const CudaTuning& tuning, const ChunkPolicy& policy,
               absl::Duration warm_up_limit, std::function<void(const std::string&)> warn)
      : device_(device),
        options_(at::TensorOptions(device).dtype(dtype)),
        operators_{.one_dnn = device.is_cpu(), .tuning = tuning},
        policy_(policy),
        warm_up_time_(warm_up_limit),
        warn_(std::move(warn)) {}

  std::string name() const override { return "torch"; }
  std::string device() const override { return device_.str(); }
  std::string precision() const override { return options_.dtype() == at::kHalf ? "float16" : "float32"; }

  absl::StatusOr<int> AddNetwork(std::shared_ptr<const NetworkWeights> weights, MelSettings mel) override {
    const absl::Status status = CatchTorchErrors([&] {
      std::unique_ptr<TorchNetwork> network = MakeTorchNetwork(*weights, options_, operators_);
      // Weights are laid out on this thread's stream; workers read them on their own.
      if (!device_.is_cpu()) c10::impl::VirtualGuardImpl(device_.type()).synchronizeDevice(device_.index());
      networks_.push_back(std::move(network));
      infos_.push_back(
          {weights->shape, mel.n_mels, FrameCount(kTypicalWindowSamples, mel), FrameCount(kSceneWindowSamples, mel)});
    });
    if (!status.ok()) return status;
    prepared_.push_back(static_cast<int>(networks_.size()) - 1);
    return prepared_.back();
  }

  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override {
    std::unique_ptr<Embedder> embedder;
    absl::Status warm;
    absl::Status status = CatchTorchErrors([&] {
      at::set_num_threads(1);  // For this thread: workers are the parallelism.
      std::vector<std::unique_ptr<Slot>> slots;
      if (device_.is_cpu()) {
        slots.push_back(MakeCpuSlot(networks_));
      } else {
        std::shared_ptr<GraphRecorder> graphs;
        if (operators_.tuning.graphs) {
          absl::StatusOr<std::shared_ptr<GraphRecorder>> recorder = MakeGraphRecorder();
          warm.Update(recorder.status());
          if (!recorder.ok()) return;
          graphs = *std::move(recorder);
        }
        slots = MakeCudaSlots(networks_, device_, kCudaSlots, graphs, warn_);
      }
      if (!device_.is_cpu()) warm = WarmUpOn(*slots.front());
      embedder = std::make_unique<ChunkEmbedder>(infos_, std::move(slots), policy_, warn_);
    });
    status.Update(warm);
    if (!status.ok()) return status;
    return embedder;
  }

  void PrepareFor(absl::Span<const int> networks) override {
    prepared_.assign(networks.begin(), networks.end());
    warm_up_time_.Restart();
  }

 private:
  // The slots of a worker share its thread, and with it what is prepared.
  absl::Status WarmUpOn(Slot& slot) {
    if (warm_up_time_.limit() <= absl::ZeroDuration()) return absl::OkStatus();
    std::vector<ChunkNetwork> prepared;
    for (const int network : prepared_) prepared.push_back(infos_[network]);
    std::vector<WarmUpChunk> chunks = ChooseWarmUp(prepared, policy_);
    for (WarmUpChunk& chunk : chunks) chunk.network = prepared_[chunk.network];
    const auto run = [&](const WarmUpChunk& chunk) {
      const absl::Status status = RunZeros(slot, infos_[chunk.network], chunk);
      if (!status.ok()) slot.ReleaseMemory();
      return status;
    };
    return WarmUp(chunks, run, warm_up_time_, warn_);
  }

  const c10::Device device_;
  const at::TensorOptions options_;
  const Operators operators_;
  const ChunkPolicy policy_;
  WarmUpTime warm_up_time_;
  const std::function<void(const std::string&)> warn_;
  std::vector<std::unique_ptr<TorchNetwork>> networks_;
  std::vector<ChunkNetwork> infos_;
  std::vector<int> prepared_;  // Networks that embedders warm up.
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
    if (options.cuda_tuning.time_plans) at::globalContext().setBenchmarkCuDNN(true);
  });
  if (!status.ok()) return status;
  if (!device.ok()) return device.status();
  ChunkPolicy policy;
  policy.max_frames = device->is_cpu() ? kCpuChunkFrames : options.max_batch_frames;
  policy.pad_windows = options.pad_windows.value_or(!device->is_cpu());
  policy.small_chunk_frames = device->is_cpu() ? kCpuSmallChunkFrames : kSmallChunkFrames;
  return std::make_unique<TorchBackend>(*device, half ? at::kHalf : at::kFloat, options.cuda_tuning, policy,
                                        options.warm_up_limit, options.warn);
}

}  // namespace hearwire
