// The one symbol that the module exports, and the string that keeps modules of other builds out.

#ifndef HEARWIRE_MODELS_TORCH_MODULE_ENTRY_POINT_H_
#define HEARWIRE_MODELS_TORCH_MODULE_ENTRY_POINT_H_

#include <cstddef>

#include "absl/status/status.h"
#include "models/embedder.h"
#include "models/torch_module/torch_module.h"

namespace hearwire {

inline constexpr char kTorchModuleFile[] = "libhearwire_torch.so";
inline constexpr char kTorchEntryPointName[] = "HearwireMakeTorchBackend";

// C++ types cross the seam, so program and module must come from one version, compiler and set of headers.
struct TorchModuleAbi {
  const char* version = HEARWIRE_VERSION;
  const char* compiler = __VERSION__;
  size_t network_weights_size = sizeof(NetworkWeights);
  size_t window_request_size = sizeof(WindowRequest);
  size_t options_size = sizeof(TorchBackendOptions);
};

// Makes a backend, owned by the caller. Null on failure, and `*status` says why. When `abi` is not the module's own,
// fails with FAILED_PRECONDITION before it touches anything else.
using TorchEntryPoint = Backend*(const TorchModuleAbi& abi, const TorchBackendOptions& options, absl::Status* status);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_MODULE_ENTRY_POINT_H_
