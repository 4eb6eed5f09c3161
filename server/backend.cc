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

absl::StatusOr<std::unique_ptr<Backend>> LoadTorch(const ServerOptions& options, const std::string& device,
                                                   Precision precision) {
  TorchBackendOptions torch;
  torch.device = device;
  torch.precision = std::string(ToText(precision));
  torch.max_batch_frames = BatchFrames(options, device);
  torch.warn = Warn;
  return LoadTorchBackend(torch);
}

absl::StatusOr<std::unique_ptr<Backend>> MakeNative(Precision precision) {
  const std::string computes_in(ToText(precision));
  if (NativeInstructionSetIsSlow()) {
    Log(LogLevel::kWarning, "this processor lacks the instructions that the native backend is fast with",
        {{"kernels", NativeInstructionSet()}});
  } else {
    Log(LogLevel::kInfo, "kernels chosen for this processor",
        {{"kernels", NativeInstructionSet()}, {"precision", computes_in}});
  }
  return MakeNativeBackend({.precision = computes_in});
}

// The native backend alone: another beside it would make embeddings of another space.
absl::StatusOr<std::vector<BackendPlan>> PlanBfloat16(const ServerOptions& options, bool bfloat16) {
  if (options.device == DeviceChoice::kCuda) {
    return absl::InvalidArgumentError("--precision=bfloat16 runs on the CPU: use --device=cpu");
  }
  if (options.backend == BackendChoice::kCuda || options.backend == BackendChoice::kTorch) {
    return absl::InvalidArgumentError("--precision=bfloat16 needs --backend=native");
  }
  if (!bfloat16) {
    return absl::InvalidArgumentError(
        "--precision=bfloat16 needs a processor with AVX512-BF16, which this one lacks: use --precision=float32, or "
        "auto, which takes bfloat16 where it is there");
  }
  return std::vector<BackendPlan>{{BackendChoice::kNative, "cpu", Precision::kBfloat16}};
}

}  // namespace

absl::StatusOr<std::vector<BackendPlan>> PlanBackends(const ServerOptions& options, bool cuda, bool kernels,
                                                      bool bfloat16) {
  if (options.precision == Precision::kBfloat16) return PlanBfloat16(options, bfloat16);
  if (options.precision == Precision::kAuto) {
    ServerOptions settled = options;
    settled.precision = Precision::kFloat32;
    absl::StatusOr<std::vector<BackendPlan>> plans = PlanBackends(settled, cuda, kernels, bfloat16);
    const auto native = [](const BackendPlan& plan) { return plan.backend == BackendChoice::kNative; };
    if (bfloat16 && plans.ok() && std::all_of(plans->begin(), plans->end(), native)) {
      for (BackendPlan& plan : *plans) plan.precision = Precision::kBfloat16;
    }
    return plans;
  }
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
  const auto add = [&](BackendChoice backend, const char* device) {
    plans.push_back({backend, device, options.precision});
  };
  const bool use_kernels = kernels && !half && options.backend == BackendChoice::kAuto;
  if (use_cuda) add(use_kernels ? BackendChoice::kCuda : BackendChoice::kTorch, "cuda");
  // Whoever asks for CUDA, or for what only CUDA has, gets nothing else.
  if (options.device != DeviceChoice::kCuda && !half) {
    add(options.backend == BackendChoice::kTorch ? BackendChoice::kTorch : BackendChoice::kNative, "cpu");
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
  const bool cuda = options.device == DeviceChoice::kAuto && options.backend != BackendChoice::kNative &&
                    options.precision != Precision::kBfloat16 && FindCudaDevice().ok();
  const absl::StatusOr<std::vector<BackendPlan>> plans =
      PlanBackends(options, cuda, HasCudaKernels(), NativeHasBfloat16());
  if (!plans.ok()) return plans.status();
  return LoadBackends(*plans, [&](const BackendPlan& plan) -> absl::StatusOr<std::unique_ptr<Backend>> {
    switch (plan.backend) {
      case BackendChoice::kTorch:
        return LoadTorch(options, plan.device, plan.precision);
      case BackendChoice::kCuda:
        return MakeCudaBackend(
            {.device = plan.device, .max_batch_frames = BatchFrames(options, plan.device), .warn = Warn});
      case BackendChoice::kNative:
      case BackendChoice::kAuto:
        break;
    }
    return MakeNative(plan.precision);
  });
}

absl::StatusOr<std::unique_ptr<Backend>> MakeReferenceBackend() { return MakeNativeBackend({.plain_kernels = true}); }

}  // namespace hearwire
