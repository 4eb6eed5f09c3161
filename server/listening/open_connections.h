// The connections that a listener has accepted, by a descriptor of its own for each.

#ifndef HEARWIRE_SERVER_LISTENING_OPEN_CONNECTIONS_H_
#define HEARWIRE_SERVER_LISTENING_OPEN_CONNECTIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"
#include "server/listening/arriving_request.h"
#include "server/listening/calls_by_peer.h"
#include "server/listening/connection_handler.h"
#include "server/listening/connection_table.h"
#include "server/listening/file_descriptor.h"
#include "server/listening/peer_address.h"

namespace hearwire {

// Thread-safe.
class OpenConnections {
 public:
  using Id = ConnectionTable::Id;

  struct Options {
    ConnectionTable::Limits limits;
    absl::Duration request_timeout;  // Zero: none.
    absl::Duration most_age;         // Infinite: any.
  };

  // All pointers must outlive this.
  OpenConnections(Options options, ConnectionHandler* handler, const CallsByPeer* calls, ConnectionEvents* events);

  // Takes a connection in, where the limits let it, perhaps in another one's place. peer: none for sockets of the
  // machine. None: it was refused, and who is to know has been told.
  std::optional<Id> Add(int socket, const std::optional<PeerAddress>& peer, const ConnectionTable::Origin& origin)
      ABSL_LOCKS_EXCLUDED(mu_);

  // To be polled: readable when connections have ended. Then ForgetEnded is to be called.
  int ended() const { return epoll_.get(); }
  void ForgetEnded() ABSL_LOCKS_EXCLUDED(mu_);

  // Ends one that nobody serves.
  void GiveUp(Id id) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the longest silent one, if one may go: for those who need its descriptors.
  void GiveUpOne() ABSL_LOCKS_EXCLUDED(mu_);

  // Ends those on which a request has begun and does not arrive, and those that are too old.
  void EndOverdue() ABSL_LOCKS_EXCLUDED(mu_);

  // As Listener's.
  std::optional<SteadyTime> AcceptedAt(const PeerAddress& peer) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Connection {
    FileDescriptor socket;
    std::optional<PeerAddress> peer;
    SteadyTime accepted;
    ArrivingRequest arriving;
    // No call was in flight when so many bytes had arrived: until more have, none can be.
    int64_t quiet_at_bytes = -1;
  };

  bool MakeRoom(ConnectionTable::Limit limit, const ConnectionTable::Origin& origin) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether no call is in flight there and it has been silent for a while; the table learns for how long.
  bool IsIdle(Id id, const Connection& connection, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<ConnectionEvents::Closed> ReasonToEnd(Id id, Connection* connection, SteadyTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(Id id, ConnectionEvents::Closed reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(Id id, ConnectionEvents::Closed reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  ConnectionHandler* const handler_;
  const CallsByPeer* const calls_;
  ConnectionEvents* const events_;
  const FileDescriptor epoll_;  // Of the connections' descriptors.

  mutable Mutex mu_;
  ConnectionTable table_ ABSL_GUARDED_BY(mu_);
  std::map<Id, Connection> connections_ ABSL_GUARDED_BY(mu_);
  std::map<PeerAddress, Id> by_peer_ ABSL_GUARDED_BY(mu_);
  Id next_id_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_OPEN_CONNECTIONS_H_
