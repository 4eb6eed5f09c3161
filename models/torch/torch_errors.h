// The one place where LibTorch's exceptions become statuses.

#ifndef HEARWIRE_MODELS_TORCH_TORCH_ERRORS_H_
#define HEARWIRE_MODELS_TORCH_TORCH_ERRORS_H_

#include <functional>

#include "absl/status/status.h"

namespace hearwire {

// Runs `body` in inference mode. RESOURCE_EXHAUSTED: the device or the host has too little memory. UNAVAILABLE:
// `device_lost`, asked after any other failure, says that the device answers no more. INTERNAL: anything else.
absl::Status CatchTorchErrors(const std::function<void()>& body, const std::function<bool()>& device_lost = {});

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_TORCH_ERRORS_H_
