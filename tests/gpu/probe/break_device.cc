#include "tests/gpu/probe/break_device.h"

#include <dlfcn.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

// The driver's interface, as its documentation declares it: handles are pointers, devices and results are ints. It is
// loaded by hand, because neither its header nor a library to link is there where this is built.
using InitFunction = int(unsigned flags);
using DeviceGetFunction = int(int* device, int ordinal);
using PrimaryCtxRetainFunction = int(void** context, int device);
using CtxSetCurrentFunction = int(void* context);
using ModuleLoadDataFunction = int(void** module, const void* image);
using ModuleGetFunctionFunction = int(void** function, void* module, const char* name);
using LaunchKernelFunction = int(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                                 unsigned block_y, unsigned block_z, unsigned shared_bytes, void* stream,
                                 void** parameters, void** extra);
using CtxSynchronizeFunction = int();

constexpr int kIllegalAddress = 700;  // CUDA_ERROR_ILLEGAL_ADDRESS.

// The driver compiles it for whatever device there is.
constexpr char kKernel[] = R"(
.version 7.0
.target sm_75
.address_size 64
.visible .entry write_to_null()
{
  .reg .b64 %address;
  .reg .b32 %value;
  mov.u64 %address, 0;
  mov.u32 %value, 1;
  st.global.u32 [%address], %value;
  ret;
}
)";

// Calls one function of the driver after the other, until one fails.
class Driver {
 public:
  explicit Driver(void* library) : library_(library) {}

  template <typename Function, typename... Arguments>
  void Call(const char* name, Arguments... arguments) {
    if (!status_.ok()) return;
    auto* const function = reinterpret_cast<Function*>(dlsym(library_, name));
    if (function == nullptr) {
      status_ = absl::InternalError(absl::StrCat("the driver has no ", name));
    } else if (const int result = function(arguments...); result != 0) {
      status_ = absl::InternalError(absl::StrCat(name, " failed with ", result));
      result_ = result;
    }
  }
  const absl::Status& status() const { return status_; }
  int result() const { return result_; }  // Of the call that failed; else 0.

 private:
  void* const library_;
  absl::Status status_;
  int result_ = 0;
};

}  // namespace

absl::Status BreakCudaContext() {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::FailedPreconditionError(absl::StrCat("no CUDA driver: ", dlerror()));
  Driver driver(library);
  int device = 0;
  void *context = nullptr, *module = nullptr, *function = nullptr;
  driver.Call<InitFunction>("cuInit", 0u);
  driver.Call<DeviceGetFunction>("cuDeviceGet", &device, 0);
  // The primary context is the one that CUDA's runtime uses, and with it LibTorch.
  driver.Call<PrimaryCtxRetainFunction>("cuDevicePrimaryCtxRetain", &context, device);
  driver.Call<CtxSetCurrentFunction>("cuCtxSetCurrent", context);
  driver.Call<ModuleLoadDataFunction>("cuModuleLoadData", &module, kKernel);
  driver.Call<ModuleGetFunctionFunction>("cuModuleGetFunction", &function, module, "write_to_null");
  driver.Call<LaunchKernelFunction>("cuLaunchKernel", function, 1u, 1u, 1u, 1u, 1u, 1u, 0u, nullptr, nullptr, nullptr);
  if (!driver.status().ok()) return driver.status();
  driver.Call<CtxSynchronizeFunction>("cuCtxSynchronize");
  if (driver.result() == kIllegalAddress) return absl::OkStatus();
  if (driver.status().ok()) return absl::InternalError("the device wrote to address 0 and nothing happened");
  return driver.status();
}

}  // namespace hearwire
