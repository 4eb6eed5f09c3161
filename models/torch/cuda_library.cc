#include "models/torch/cuda_library.h"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "models/torch/torch_errors.h"

namespace hearwire {
namespace {

absl::Status Load() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&at::globalContext), &info) == 0) {
    return absl::InternalError("cannot tell where libtorch_cpu.so was loaded from");
  }
  // By its full path: a bare name would depend on the run path of whoever calls dlopen.
  const std::string path = std::filesystem::path(info.dli_fname).parent_path() / "libtorch_cuda.so";
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("LibTorch's CUDA library cannot be loaded: ", dlerror(),
                     "; scripts/setup --cuda fetches it and NVIDIA's libraries, or use --device=cpu"));
  }
  if (!at::hasCUDA()) {
    return absl::FailedPreconditionError(
        "LibTorch finds no usable CUDA device: the driver may be too old for CUDA 13; update it, or use --device=cpu");
  }
  return CatchTorchErrors([] { SetCudaNumerics(); });
}

}  // namespace

absl::Status LoadCudaLibrary() {
  static const absl::Status status = Load();
  return status;
}

void SetCudaNumerics() {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowFP16AccumulationCuBLAS(false);
  context.setDeterministicCuDNN(true);
}

}  // namespace hearwire
