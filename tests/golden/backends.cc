#include "tests/golden/backends.h"

#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"

namespace hearwire {

std::vector<BackendFactory> BackendsUnderTest() {
  std::vector<BackendFactory> backends;
  backends.push_back({"native", [] { return MakeNativeBackend(); }});
#ifdef HEARWIRE_WITH_TORCH
  backends.push_back({"torch", [] { return LoadTorchBackend({}); }});
  if (FindCudaDevice().ok()) backends.push_back({"torch_cuda", [] { return LoadTorchBackend({.device = "cuda"}); }});
#endif
  return backends;
}

}  // namespace hearwire
