#include "models/cuda/cuda_driver.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace hearwire {

absl::StatusOr<CudaDriver> LoadCudaDriver(const char* file) {
  void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("no CUDA driver (", dlerror(),
                     "); install NVIDIA's driver, in a container run with --gpus all, or "
                     "use --device=cpu"));
  }
  CudaDriver driver;
  const char* missing = nullptr;
  // NOLINTBEGIN(bugprone-macro-parentheses): a type.
#define HEARWIRE_FIND(name, symbol, arguments)                                   \
  driver.name = reinterpret_cast<CuResult(*) arguments>(dlsym(library, symbol)); \
  if (driver.name == nullptr && missing == nullptr) missing = symbol;
  // NOLINTEND(bugprone-macro-parentheses)
  HEARWIRE_CUDA_FUNCTIONS(HEARWIRE_FIND)
#undef HEARWIRE_FIND
  if (missing != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the CUDA driver has no ", missing, ": it is too old, a driver for CUDA 12 or later has it"));
  }
  if (const CuResult result = driver.init(0); result != kCuSuccess) {
    const char* name = nullptr;
    driver.error_name(result, &name);
    return absl::FailedPreconditionError(
        absl::StrCat("the CUDA driver does not start: ", name != nullptr ? name : "?", " (", result, ")"));
  }
  return driver;
}

absl::StatusOr<const CudaDriver*> OpenCudaDriver() {
  static const auto& driver = *new absl::StatusOr<CudaDriver>(LoadCudaDriver("libcuda.so.1"));
  if (!driver.ok()) return driver.status();
  return &*driver;
}

}  // namespace hearwire
