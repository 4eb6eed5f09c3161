#include "server/backend.h"

#include <algorithm>
#include <limits>

#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

absl::StatusOr<std::unique_ptr<Backend>> LoadTorch(const ServerOptions& options, const std::string& device) {
  TorchBackendOptions torch;
  torch.device = device;
  torch.precision = std::string(ToText(options.precision));
  torch.max_batch_frames =
      static_cast<int>(std::min<int64_t>(MaxBatchFrames(options, device), std::numeric_limits<int>::max()));
  torch.warn = [](const std::string& message) { Log(LogLevel::kWarning, message); };
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

absl::StatusOr<std::vector<BackendPlan>> PlanBackends(const ServerOptions& options, bool cuda) {
  const bool half = options.precision == Precision::kFloat16;
  if (options.backend == BackendChoice::kNative) {
    if (options.device == DeviceChoice::kCuda) {
      return absl::InvalidArgumentError(
          "--backend=native runs on the CPU: use --device=cpu, or --backend=torch for CUDA");
    }
    if (half) return absl::InvalidArgumentError("--precision=float16 needs --backend=torch and --device=cuda");
    return std::vector<BackendPlan>(1);
  }
  const bool use_cuda = options.device == DeviceChoice::kCuda || (options.device == DeviceChoice::kAuto && cuda);
  if (half && !use_cuda) {
    return absl::InvalidArgumentError(options.device == DeviceChoice::kCpu
                                          ? "--precision=float16 needs --device=cuda"
                                          : "--precision=float16 needs CUDA, and there is no driver or no device");
  }
  std::vector<BackendPlan> plans;
  if (use_cuda) plans.push_back({.torch = true, .device = "cuda"});
  // Whoever asks for CUDA, or for what only CUDA has, gets nothing else.
  if (options.device != DeviceChoice::kCuda && !half) {
    plans.push_back({.torch = options.backend == BackendChoice::kTorch, .device = "cpu"});
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
  const absl::StatusOr<std::vector<BackendPlan>> plans = PlanBackends(options, cuda);
  if (!plans.ok()) return plans.status();
  return LoadBackends(
      *plans, [&](const BackendPlan& plan) { return plan.torch ? LoadTorch(options, plan.device) : MakeNative(); });
}

absl::StatusOr<std::unique_ptr<Backend>> MakeReferenceBackend() { return MakeNativeBackend({.plain_kernels = true}); }

}  // namespace hearwire
