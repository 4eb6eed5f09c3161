// How many calls services work on, by connection.

#ifndef HEARWIRE_SERVER_LISTENING_CALLS_BY_PEER_H_
#define HEARWIRE_SERVER_LISTENING_CALLS_BY_PEER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "server/concurrency/mutex.h"
#include "server/listening/peer_address.h"

namespace hearwire {

// Thread-safe. Only TCP connections can be told apart.
class CallsByPeer {
 public:
  // A call counts while this lives. The counter must outlive it. Null: nothing counts.
  class Counted {
   public:
    Counted() = default;
    // peer: as gRPC names it.
    Counted(CallsByPeer* calls, std::string_view peer);
    Counted(Counted&& other) noexcept : calls_(std::exchange(other.calls_, nullptr)), peer_(other.peer_) {}
    Counted& operator=(Counted&&) = delete;
    ~Counted();

   private:
    CallsByPeer* calls_ = nullptr;
    PeerAddress peer_;
  };

  int64_t CountOf(const PeerAddress& peer) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;
  std::map<PeerAddress, int64_t> calls_ ABSL_GUARDED_BY(mu_);  // None is 0.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_CALLS_BY_PEER_H_
