#include "tests/golden/backends.h"

#include "models/torch_module/torch_module.h"

namespace hearwire {

std::vector<BackendFactory> BackendsUnderTest() {
  std::vector<BackendFactory> backends;
#ifdef HEARWIRE_WITH_TORCH
  backends.push_back({"torch", [] { return LoadTorchBackend({}); }});
  if (FindCudaDevice().ok()) backends.push_back({"torch_cuda", [] { return LoadTorchBackend({.device = "cuda"}); }});
#endif
  return backends;
}

}  // namespace hearwire
