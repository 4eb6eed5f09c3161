// How many connections there may be, from how many descriptors the process may have.

#ifndef HEARWIRE_SERVER_LISTENING_CONNECTION_LIMITS_H_
#define HEARWIRE_SERVER_LISTENING_CONNECTION_LIMITS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hearwire {

// Descriptors of the process (RLIMIT_NOFILE). 0: not known.
struct DescriptorLimit {
  int64_t before = 0;  // What it was started with.
  int64_t now = 0;
};

// Raises the process's limit to its hard one, as far as the system lets it.
DescriptorLimit RaiseDescriptorLimit();

// What the process needs beside connections: the log, files, epoll, /metrics.
inline constexpr int64_t kOtherDescriptors = 32;
// Of a connection: gRPC's and the listener's own, by which it sees and closes it.
inline constexpr int64_t kDescriptorsPerConnection = 2;
// The most that are taken from the machine: an idle one takes some 15 kB.
inline constexpr int64_t kMostConnections = 8192;

// What so many descriptors are enough for, at least 1 and at most kMostConnections.
int64_t ConnectionsFor(int64_t descriptors);

// A quarter, so that no one address keeps all others out; at least 16 where there are as many.
int64_t ConnectionsPerAddressFor(int64_t max_connections);

// INVALID_ARGUMENT: so many connections need more descriptors than there may be.
absl::Status CheckMaxConnections(int64_t max_connections, int64_t descriptors);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_CONNECTION_LIMITS_H_
