#include "models/torch/torch_errors.h"

#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

// The first line: what follows is a trace of addresses.
std::string FirstLine(const char* message) {
  const std::string text(message);
  return text.substr(0, text.find('\n'));
}

// cudaErrorMemoryAllocation.
constexpr int kCudaMemoryAllocation = 2;

// Failed allocations that do not come as an OutOfMemoryError: of the host, of cuDNN's and cuBLAS' own workspaces.
bool SaysOutOfMemory(const std::string& message) {
  return absl::StrContains(message, "DefaultCPUAllocator") || absl::StrContains(message, "STATUS_ALLOC_FAILED") ||
         absl::StrContains(message, "out of memory");
}

absl::Status Failure(const std::string& message, const std::function<bool()>& device_lost) {
  if (SaysOutOfMemory(message)) return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", message));
  if (device_lost && device_lost()) return absl::UnavailableError(absl::StrCat("the device is lost: ", message));
  return absl::InternalError(absl::StrCat("LibTorch: ", message));
}

}  // namespace

absl::Status CatchTorchErrors(const std::function<void()>& body, const std::function<bool()>& device_lost) {
  try {
    const c10::InferenceMode inference;
    body();
    return absl::OkStatus();
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", FirstLine(error.what_without_backtrace())));
  } catch (const c10::AcceleratorError& error) {
    const std::string message = FirstLine(error.what_without_backtrace());
    if (error.get_error_code() == kCudaMemoryAllocation) {
      return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", message));
    }
    return Failure(message, device_lost);
  } catch (const c10::Error& error) {
    return Failure(FirstLine(error.what_without_backtrace()), device_lost);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory on the host");
  } catch (const std::exception& error) {
    return Failure(FirstLine(error.what()), device_lost);
  }
}

}  // namespace hearwire
