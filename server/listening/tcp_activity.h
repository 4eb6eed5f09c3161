// What the kernel knows of a TCP connection.

#ifndef HEARWIRE_SERVER_LISTENING_TCP_ACTIVITY_H_
#define HEARWIRE_SERVER_LISTENING_TCP_ACTIVITY_H_

#include <cstdint>
#include <optional>

#include "server/concurrency/steady_time.h"

namespace hearwire {

struct TcpActivity {
  int64_t received_bytes = 0;
  SteadyTime last;  // When data was last sent or received, to a few milliseconds.
};

// None: it is no TCP socket.
std::optional<TcpActivity> ReadTcpActivity(int fd, SteadyTime now);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_TCP_ACTIVITY_H_
