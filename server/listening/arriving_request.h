// Whether requests of a connection arrive, or have begun and stay away. Policy without sockets or clocks.
//
// gRPC tells a service of a call when its whole message is there. Until then a call has only begun: a client may send
// its headers and nothing more, and be kept for ever. A connection is stuck that has such calls and none that a service
// works on, and on which for some time hardly a byte has arrived. A client that uploads slowly, waits for its answer,
// or has a live stream open is not.

#ifndef HEARWIRE_SERVER_LISTENING_ARRIVING_REQUEST_H_
#define HEARWIRE_SERVER_LISTENING_ARRIVING_REQUEST_H_

#include <cstdint>

#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// Of one connection. Not thread-safe.
class ArrivingRequest {
 public:
  // Fewer bytes within the time are no progress: answers to pings are fewer, and a request of less has arrived at once.
  static constexpr int64_t kLeastBytes = 16 << 10;

  struct Seen {
    int64_t received_bytes = 0;  // On the connection so far.
    int64_t begun = 0;           // Calls in flight, from their headers on.
    int64_t taken = 0;           // Those of them that a service knows of.
  };

  // To be told again and again. True: the connection has been stuck for `timeout`.
  bool IsStuck(const Seen& seen, absl::Duration timeout, SteadyTime now);

 private:
  bool is_waiting_ = false;
  SteadyTime since_;
  int64_t bytes_then_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_ARRIVING_REQUEST_H_
