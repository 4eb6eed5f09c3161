// The one place where LibTorch's exceptions become statuses.

#ifndef HEARWIRE_MODELS_TORCH_TORCH_ERRORS_H_
#define HEARWIRE_MODELS_TORCH_TORCH_ERRORS_H_

#include <functional>

#include "absl/status/status.h"

namespace hearwire {

// Runs `body` in inference mode.
//
// RESOURCE_EXHAUSTED: the device or the host has too little memory. Not every shortage says so. ATen tries cuDNN's ways
// of running a convolution one by one, drops what each of them says, and reports that none was found; cuBLAS and cuDNN
// report that they are not initialized when there is no memory for their handles. These count as shortages too, though
// a device that LibTorch's libraries were not built for says the same: the message names both.
// UNAVAILABLE: `device_lost`, asked after any other failure and after a shortage that does not say so, says that the
// device answers no more.
// INTERNAL: anything else.
absl::Status CatchTorchErrors(const std::function<void()>& body, const std::function<bool()>& device_lost = {});

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_TORCH_ERRORS_H_
