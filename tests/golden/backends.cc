#include "tests/golden/backends.h"

#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "tests/golden/parity.h"

namespace hearwire {

std::vector<BackendFactory> BackendsUnderTest() {
  std::vector<BackendFactory> backends;
  backends.push_back({"native", kParityTolerance, [] { return MakeNativeBackend(); }});
  if (NativeHasBfloat16()) {
    backends.push_back(
        {"native_bfloat16", kBfloat16Tolerance, [] { return MakeNativeBackend({.precision = "bfloat16"}); }});
  }
#ifdef HEARWIRE_WITH_TORCH
  backends.push_back({"torch", kParityTolerance, [] { return LoadTorchBackend({}); }});
  if (FindCudaDevice().ok()) {
    backends.push_back({"torch_cuda", kParityTolerance, [] { return LoadTorchBackend({.device = "cuda"}); }});
  }
#endif
  return backends;
}

}  // namespace hearwire
