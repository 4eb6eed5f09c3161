#include "models/torch/torch_errors.h"

#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <initializer_list>
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

bool ContainsAny(const std::string& message, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](const char* part) { return absl::StrContains(message, part); });
}

// Failed allocations that do not come as an OutOfMemoryError: of the host; of cuBLAS' and cuDNN's own memory
// (CUBLAS_STATUS_ALLOC_FAILED, CUDNN_STATUS_ALLOC_FAILED, CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED).
bool SaysOutOfMemory(const std::string& message) {
  return ContainsAny(message, {"DefaultCPUAllocator", "STATUS_ALLOC_FAILED", "ALLOCATION_FAILED", "out of memory"});
}

// What is left of a shortage once cuDNN's errors were dropped ("FIND was …" while plans are tried, "GET was …" else,
// "… valid cuDNN algorithm" from the older interface), and failures to make a handle.
bool MayMeanOutOfMemory(const std::string& message) {
  return ContainsAny(message, {"unable to find an engine", "Unable to find an engine", "valid cuDNN algorithm",
                               "CUBLAS_STATUS_NOT_INITIALIZED", "CUDNN_STATUS_NOT_INITIALIZED"});
}

absl::Status Failure(const std::string& message, const std::function<bool()>& device_lost) {
  if (SaysOutOfMemory(message)) return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", message));
  if (device_lost && device_lost()) return absl::UnavailableError(absl::StrCat("the device is lost: ", message));
  if (MayMeanOutOfMemory(message)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("out of memory, or a device that this LibTorch does not support: ", message));
  }
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
