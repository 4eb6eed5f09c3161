// Calls as gRPC knows them: from their headers on.
//
// A service knows of a call when its whole message is there. What is before that only channelz tells, which is an API
// of gRPC's core for tools, with pages of JSON: a fraction of a millisecond each.

#ifndef HEARWIRE_SERVER_CALLS_IN_FLIGHT_H_
#define HEARWIRE_SERVER_CALLS_IN_FLIGHT_H_

#include <cstdint>
#include <map>

#include "server/concurrency/mutex.h"
#include "server/listening/connection_handler.h"
#include "server/listening/peer_address.h"

namespace hearwire {

// Calls of all gRPC servers of the process that have begun, with their headers, and not ended: those too whose message
// is still arriving, of which no service knows. Those of other services than ours (CountOtherCalls) do not count.
int64_t CountCallsInFlight();

// Likewise those of one connection, of all services. Servers of the process must not share ports of callers, as they do
// where they have several addresses. Thread-safe.
class CallsOfConnections {
 public:
  // None where it is not open, or has not spoken HTTP/2 yet.
  ConnectionHandler::Calls Count(const PeerAddress& peer) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void LearnNewSockets() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Mutex mu_;
  std::map<PeerAddress, int64_t> sockets_ ABSL_GUARDED_BY(mu_);  // Channelz's numbers, which only grow.
  int64_t next_socket_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CALLS_IN_FLIGHT_H_
