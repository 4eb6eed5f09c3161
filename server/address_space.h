// Room under a limit of the process's address space (ulimit -v), which makes allocations fail that a machine has memory
// for.

#ifndef HEARWIRE_SERVER_ADDRESS_SPACE_H_
#define HEARWIRE_SERVER_ADDRESS_SPACE_H_

#include <cstdint>

#include "absl/status/status.h"

namespace hearwire {

// What is kept free under a limit. gRPC ends the process when it cannot allocate; what it asks for is smaller than
// this.
inline constexpr int64_t kSpareAddressSpace = int64_t{64} << 20;

// Whether `bytes` more leave kSpareAddressSpace free. Always where there is no limit: then it costs nothing, else some
// microseconds. Takes no memory. Thread-safe.
bool AddressSpaceHasRoomFor(int64_t bytes);

// What the process has of physical memory; 0 when the system does not say.
int64_t ResidentBytes();

// Likewise without what files back, which the system may take away.
int64_t AnonymousBytes();

// RESOURCE_EXHAUSTED: there is too little left for gRPC's threads and buffers, let alone for calls.
absl::Status CheckAddressSpaceToServe();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ADDRESS_SPACE_H_
