#include "server/backend.h"

#include <algorithm>
#include <limits>

#include "models/cuda/cuda_backend.h"
#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

int BatchFrames(const ServerOptions& options, const std::string& device) {
  return static_cast<int>(std::min<int64_t>(MaxBatchFrames(options, device), std::numeric_limits<int>::max()));
}

void Warn(const std::string& message) { Log(LogLevel::kWarning, message); }

absl::StatusOr<std::unique_ptr<Backend>> LoadTorch(const ServerOptions& options, const std::string& device) {
  TorchBackendOptions torch;
  torch.device = device;
  torch.precision = std::string(ToText(options.precision));
  torch.max_batch_frames = BatchFrames(options, device);
  torch.warn = Warn;
  return LoadTorchBackend(torch);
}

absl::StatusOr<std::unique_ptr<Backend>> MakeNative() {
  if (NativeInstructionSetIsSlow()) {
    Log(LogLevel::kWarning, "this processor lacks the instructions that the native backend is fast with",
        {{"kernels", NativeInstructionSet()}});
  } else {
    Log(LogLevel::kInfo, "kernels chosen for this processor", {{"kernels", NativeInstructionSet()}});
  }
  return MakeNativeBackend();
}

}  // namespace

absl::StatusOr<std::vector<BackendPlan>> PlanBackends(const ServerOptions& options, bool cuda, bool kernels) {
  const bool half = options.precision == Precision::kFloat16;
  if (options.backend == BackendChoice::kNative) {
    if (options.device == DeviceChoice::kCuda) {
      return absl::InvalidArgumentError(
          "--backend=native runs on the CPU: use --device=cpu, or --backend=cuda or torch for CUDA");
    }
    if (half) return absl::InvalidArgumentError("--precision=float16 needs --backend=torch and --device=cuda");
    return std::vector<BackendPlan>(1);
  }
  if (options.backend == BackendChoice::kCuda) {
    if (options.device == DeviceChoice::kCpu) {
      return absl::InvalidArgumentError(
          "--backend=cuda runs on GPUs: use --device=cuda, or --backend=native for the CPU");
    }
    if (half) {
      return absl::InvalidArgumentError("--precision=float16 needs --backend=torch: the backend cuda has float32");
    }
    return std::vector<BackendPlan>{{BackendChoice::kCuda, "cuda"}};
  }
  const bool use_cuda = options.device == DeviceChoice::kCuda || (options.device == DeviceChoice::kAuto && cuda);
  if (half && !use_cuda) {
    return absl::InvalidArgumentError(options.device == DeviceChoice::kCpu
                                          ? "--precision=float16 needs --device=cuda"
                                          : "--precision=float16 needs CUDA, and there is no driver or no device");
  }
  std::vector<BackendPlan> plans;
  const bool use_kernels = kernels && !half && options.backend == BackendChoice::kAuto;
  if (use_cuda) plans.push_back({use_kernels ? BackendChoice::kCuda : BackendChoice::kTorch, "cuda"});
  // Whoever asks for CUDA, or for what only CUDA has, gets nothing else.
  if (options.device != DeviceChoice::kCuda && !half) {
    plans.push_back({options.backend == BackendChoice::kTorch ? BackendChoice::kTorch : BackendChoice::kNative, "cpu"});
  }
  return plans;
}

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> LoadBackends(const std::vector<BackendPlan>& plans,
                                                                   const LoadBackend& load) {
  std::vector<std::unique_ptr<Backend>> backends;
  for (const BackendPlan& plan : plans) {
    absl::StatusOr<std::unique_ptr<Backend>> backend = load(plan);
    if (backend.ok()) {
      backends.push_back(*std::move(backend));
    } else if (&plan == &plans.back()) {
      return backend.status();
    } else {
      Log(LogLevel::kWarning, "there is a CUDA device, but it cannot be used: running on the CPU",
          {{"error", backend.status()}});
    }
  }
  return backends;
}

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> MakeBackends(const ServerOptions& options) {
  const bool cuda =
      options.device == DeviceChoice::kAuto && options.backend != BackendChoice::kNative && FindCudaDevice().ok();
  const absl::StatusOr<std::vector<BackendPlan>> plans = PlanBackends(options, cuda, HasCudaKernels());
  if (!plans.ok()) return plans.status();
  return LoadBackends(*plans, [&](const BackendPlan& plan) -> absl::StatusOr<std::unique_ptr<Backend>> {
    switch (plan.backend) {
      case BackendChoice::kTorch:
        return LoadTorch(options, plan.device);
      case BackendChoice::kCuda:
        return MakeCudaBackend(
            {.device = plan.device, .max_batch_frames = BatchFrames(options, plan.device), .warn = Warn});
      case BackendChoice::kNative:
      case BackendChoice::kAuto:
        break;
    }
    return MakeNative();
  });
}

absl::StatusOr<std::unique_ptr<Backend>> MakeReferenceBackend() { return MakeNativeBackend({.plain_kernels = true}); }

}  // namespace hearwire
