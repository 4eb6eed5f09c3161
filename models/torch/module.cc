// The module's entry point, its only exported symbol.

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "models/torch/torch_backend.h"
#include "models/torch_module/entry_point.h"

namespace hearwire {
namespace {

bool SameAbi(const TorchModuleAbi& a, const TorchModuleAbi& b) {
  return std::strcmp(a.version, b.version) == 0 && std::strcmp(a.compiler, b.compiler) == 0 &&
         a.network_weights_size == b.network_weights_size && a.window_request_size == b.window_request_size &&
         a.options_size == b.options_size;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) Backend* HearwireMakeTorchBackend(const TorchModuleAbi& abi,
                                                                                    const TorchBackendOptions& options,
                                                                                    absl::Status* status) {
  const TorchModuleAbi own;
  if (!SameAbi(abi, own)) {
    *status = absl::FailedPreconditionError(absl::StrCat(
        "the LibTorch backend is of another build: it is of version ", own.version, ", compiler ", own.compiler,
        ", the program of ", abi.version, ", ", abi.compiler, "; install or build both together"));
    return nullptr;
  }
  absl::StatusOr<std::unique_ptr<Backend>> backend = MakeTorchBackend(options);
  *status = backend.status();
  return backend.ok() ? backend->release() : nullptr;
}

static_assert(std::is_same_v<decltype(HearwireMakeTorchBackend), TorchEntryPoint>);

}  // namespace hearwire
