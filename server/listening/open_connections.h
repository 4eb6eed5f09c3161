// The connections that a listener has accepted, by a descriptor of its own for each.

#ifndef HEARWIRE_SERVER_LISTENING_OPEN_CONNECTIONS_H_
#define HEARWIRE_SERVER_LISTENING_OPEN_CONNECTIONS_H_

#include <cstdint>
#include <functional>
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
#include "server/listening/memory_guard.h"
#include "server/listening/peer_address.h"

namespace hearwire {

// What is known of memory, and done for it beside ending connections. Thread-safe.
struct GuardedMemory {
  std::function<int64_t()> resident;  // Bytes of the process that no file backs. Null: memory is not guarded.
  std::function<void()> give_back;    // What has been freed goes back to the system. May be null.
  MemoryGuard::Options limits;
};

// Thread-safe.
class OpenConnections {
 public:
  using Id = ConnectionTable::Id;

  struct Options {
    ConnectionTable::Limits limits;
    absl::Duration request_timeout;  // Zero: none.
    absl::Duration most_age;         // Infinite: any.
    GuardedMemory memory = {};
  };

  // All pointers must outlive this.
  OpenConnections(Options options, ConnectionHandler* handler, CallsByPeer* calls, ConnectionEvents* events);
  ~OpenConnections();

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

  // Ends those that memory is to be had from, where it is short; until it is had, newcomers are refused. Returns how
  // long memory can be left alone.
  absl::Duration GuardMemory() ABSL_LOCKS_EXCLUDED(mu_);

  // As Listener's.
  std::optional<SteadyTime> AcceptedAt(const PeerAddress& peer) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Connection {
    FileDescriptor socket;
    std::optional<PeerAddress> peer;
    std::string origin;  // Empty: its limit does not count it.
    SteadyTime accepted;
    ArrivingRequest arriving;
    // No call was in flight when so many bytes had arrived: until more have, none can be.
    int64_t quiet_at_bytes = -1;
    // When memory was low: what the guard counts from.
    SteadyTime calm_since;
    CallsByPeer::Known calm_known;
    int64_t calm_received = 0;
    int64_t calm_bytes = 0;
    int64_t calm_lost_calls = 0;
  };

  bool MakeRoom(ConnectionTable::Limit limit, const ConnectionTable::Origin& origin) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether no call is in flight there and it has been silent for a while; the table learns for how long.
  bool IsIdle(Id id, const Connection& connection, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<ConnectionEvents::Closed> ReasonToEnd(Id id, Connection* connection, SteadyTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsBanned(const ConnectionTable::Origin& origin, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Ban(const std::string& origin, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What has come so far is forgiven, but for calls that are open.
  void CountFromNow(Connection* connection) const;
  MemoryGuard::Seen See(Id id, const Connection& connection) const;
  void End(Id id, ConnectionEvents::Closed reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(Id id, ConnectionEvents::Closed reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  ConnectionHandler* const handler_;
  CallsByPeer* const calls_;
  ConnectionEvents* const events_;
  const FileDescriptor epoll_;  // Of the connections' descriptors.
  const MemoryGuard guard_;

  mutable Mutex mu_;
  ConnectionTable table_ ABSL_GUARDED_BY(mu_);
  std::map<Id, Connection> connections_ ABSL_GUARDED_BY(mu_);
  std::map<PeerAddress, Id> by_peer_ ABSL_GUARDED_BY(mu_);
  Id next_id_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t resident_ ABSL_GUARDED_BY(mu_) = 0;  // At the last look.
  int64_t seen_at_ ABSL_GUARDED_BY(mu_) = 0;   // Resident when connections were looked at, or less since.
  bool is_watched_ ABSL_GUARDED_BY(mu_) = false;
  bool is_high_ ABSL_GUARDED_BY(mu_) = false;
  SteadyTime refuses_until_ ABSL_GUARDED_BY(mu_) = SteadyTime::InfinitePast();
  // Origins of connections that ended for memory, and until when others from there are refused.
  std::map<std::string, SteadyTime> banned_ ABSL_GUARDED_BY(mu_);
  SteadyTime count_from_ ABSL_GUARDED_BY(mu_) = SteadyTime::InfinitePast();
  SteadyTime give_back_from_ ABSL_GUARDED_BY(mu_) = SteadyTime::InfinitePast();
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_OPEN_CONNECTIONS_H_
