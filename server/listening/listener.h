// Accepts connections, keeps their number within limits, and closes those that only hold a place.
//
// gRPC's own listener stops accepting for ever once the process has no descriptor left, and bounds nothing. Here one
// thread accepts, whatever happens, and hands each socket on. Of each it keeps a descriptor of its own: by that it sees
// what the kernel knows of the connection, learns of its end, and can end it.
//
// Policy is elsewhere: connection_table.h, arriving_request.h, accept_error.h.

#ifndef HEARWIRE_SERVER_LISTENING_LISTENER_H_
#define HEARWIRE_SERVER_LISTENING_LISTENER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/listening/calls_by_peer.h"
#include "server/listening/connection_handler.h"
#include "server/listening/file_descriptor.h"
#include "server/listening/listening_sockets.h"
#include "server/listening/open_connections.h"
#include "server/listening/peer_address.h"

namespace hearwire {

struct ListenerOptions {
  int64_t max_connections = 1024;
  int64_t max_connections_per_address = 256;
  // Zero: never.
  absl::Duration request_timeout = absl::Seconds(60);
  // When a connection is closed, whatever goes on there. Infinite: never.
  absl::Duration most_age = absl::InfiniteDuration();
  // What the other end has not acknowledged for so long ends the connection. Zero: as the system has it.
  absl::Duration unacknowledged_timeout = absl::ZeroDuration();
  // Whose connections the limit of an address does not count: addresses without ports, "unix:1000". May be empty.
  std::function<bool(std::string_view address)> is_exempt = {};
  // Connections end before it is used up.
  GuardedMemory memory = {};
};

// Thread-safe.
class Listener {
 public:
  // Listens on nothing before Start. All pointers must outlive it; calls: those that services work on.
  static std::unique_ptr<Listener> Create(ListenerOptions options, ConnectionHandler* handler, CallsByPeer* calls,
                                          ConnectionEvents* events);
  // Connections stay as they are.
  virtual ~Listener() = default;

  // Accepts from now on. Once.
  virtual void Start(std::vector<FileDescriptor> tcp, FileDescriptor unix_socket, SocketFile unix_file) = 0;

  // Takes what has connected so far, and listens no more: others are refused by the system. A socket's file is removed.
  // Limits and timeouts of the connections hold on. Blocks for a moment.
  virtual void StopListening() = 0;

  // When the connection was accepted. None: it is not open, or no TCP connection.
  virtual std::optional<SteadyTime> AcceptedAt(const PeerAddress& peer) const = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_LISTENER_H_
