#include "models/torch_module/torch_module.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/torch_module/entry_point.h"

namespace hearwire {
namespace {

// What dlopen says about the library that it lacks, turned into advice.
absl::Status CannotLoad(const std::string& path, const std::string& reason) {
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot load the LibTorch backend ", path, ": ", reason,
      "; LibTorch's libraries (libtorch_cpu.so, libc10.so, libgomp.so.1, libcudart.so.13, libcupti.so.13) belong "
      "beside it when installed, or into .deps/libtorch, where scripts/setup puts them, in a build tree"));
}

}  // namespace

absl::Status FindCudaDevice() {
  constexpr char kAdvice[] = "; install NVIDIA's driver, in a container run with --gpus all, or use --device=cpu";
  // libcuda.so.1 comes with the driver. The handle is kept: LibTorch loads the same library.
  static void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("no CUDA driver (libcuda.so.1 cannot be loaded)", kAdvice));
  }
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto get_count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  int count = 0;
  int error = init == nullptr || get_count == nullptr ? -1 : init(0);
  if (error == 0) error = get_count(&count);
  if (error != 0) {
    return absl::FailedPreconditionError(absl::StrCat("the CUDA driver does not start, error ", error, kAdvice));
  }
  if (count == 0) return absl::FailedPreconditionError(absl::StrCat("the CUDA driver sees no device", kAdvice));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Backend>> LoadTorchBackend(const TorchBackendOptions& options) {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return absl::InternalError(absl::StrCat("cannot read /proc/self/exe: ", error.message()));
  const std::filesystem::path root = program.parent_path().parent_path();
  return LoadTorchBackendFrom(root / "lib" / "hearwire" / kTorchModuleFile, options);
}

absl::StatusOr<std::unique_ptr<Backend>> LoadTorchBackendFrom(const std::string& path,
                                                              const TorchBackendOptions& options) {
  if (absl::StartsWith(options.device, "cuda")) {
    if (absl::Status status = FindCudaDevice(); !status.ok()) return status;
  }
  if (std::error_code error; !std::filesystem::exists(path, error)) {
    return absl::NotFoundError(absl::StrCat(
        "no LibTorch backend at ", path,
        ": build with HEARWIRE_WITH_TORCH=ON, or install the component torch; --backend=native needs none"));
  }
  // All symbols now, so that what is missing is said here; none to the program, whose own libraries they could shadow.
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) return CannotLoad(path, dlerror());
  // Never unloaded: LibTorch does not survive it, and backends made here outlive every scope.
  const auto make = reinterpret_cast<TorchEntryPoint*>(dlsym(module, kTorchEntryPointName));
  if (make == nullptr) return CannotLoad(path, absl::StrCat("it has no function ", kTorchEntryPointName));
  absl::Status status = absl::InternalError(absl::StrCat(path, ": no backend and no reason"));
  std::unique_ptr<Backend> backend(make(TorchModuleAbi(), options, &status));
  if (backend == nullptr) return status;
  return backend;
}

}  // namespace hearwire
