// Makes the CUDA context that LibTorch uses unusable, as a device that falls off the bus does, without harm to anybody
// else: a kernel of this process writes to address 0. The driver then ends this process' context; CUDA documents that
// every later call on it fails and that the process must be started anew. The device itself is not reset, no setting of
// it changes, and other processes go on.

#ifndef HEARWIRE_TESTS_GPU_PROBE_BREAK_DEVICE_H_
#define HEARWIRE_TESTS_GPU_PROBE_BREAK_DEVICE_H_

#include "absl/status/status.h"

namespace hearwire {

// Of device 0. Returns once the context is unusable. FAILED_PRECONDITION: there is no driver. INTERNAL: a call of the
// driver failed on the way, the message says which; the context may still be well.
absl::Status BreakCudaContext();

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GPU_PROBE_BREAK_DEVICE_H_
