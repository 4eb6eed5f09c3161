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

absl::StatusOr<BackendPlan> PlanBackend(const ServerOptions& options, bool cuda) {
  const bool half = options.precision == Precision::kFloat16;
  if (options.backend == BackendChoice::kNative) {
    if (options.device == DeviceChoice::kCuda) {
      return absl::InvalidArgumentError(
          "--backend=native runs on the CPU: use --device=cpu, or --backend=torch for CUDA");
    }
    if (half) return absl::InvalidArgumentError("--precision=float16 needs --backend=torch and --device=cuda");
    return BackendPlan{};
  }
  const bool use_cuda = options.device == DeviceChoice::kCuda || (options.device == DeviceChoice::kAuto && cuda);
  if (half && !use_cuda) {
    return absl::InvalidArgumentError(options.device == DeviceChoice::kCpu
                                          ? "--precision=float16 needs --device=cuda"
                                          : "--precision=float16 needs CUDA, and there is no driver or no device");
  }
  BackendPlan plan;
  plan.torch = use_cuda || options.backend == BackendChoice::kTorch;
  plan.device = use_cuda ? "cuda" : "cpu";
  plan.may_fall_back =
      use_cuda && !half && options.device == DeviceChoice::kAuto && options.backend == BackendChoice::kAuto;
  return plan;
}

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const ServerOptions& options) {
  const bool cuda =
      options.device == DeviceChoice::kAuto && options.backend != BackendChoice::kNative && FindCudaDevice().ok();
  const absl::StatusOr<BackendPlan> plan = PlanBackend(options, cuda);
  if (!plan.ok()) return plan.status();
  if (!plan->torch) return MakeNative();
  absl::StatusOr<std::unique_ptr<Backend>> torch = LoadTorch(options, plan->device);
  if (torch.ok() || !plan->may_fall_back) return torch;
  Log(LogLevel::kWarning, "there is a CUDA device, but it cannot be used: running on the CPU",
      {{"error", torch.status()}});
  return MakeNative();
}

absl::StatusOr<std::unique_ptr<Backend>> MakeReferenceBackend() { return MakeNativeBackend({.plain_kernels = true}); }

}  // namespace hearwire
