// What services know of the calls of each connection.

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

    // The service was given a message of so many bytes.
    void TakeMessage(int64_t bytes) const;

   private:
    CallsByPeer* calls_ = nullptr;
    PeerAddress peer_;
  };

  // Of a connection.
  struct Known {
    int64_t calls = 0;  // Now.
    // In all, while it is kept.
    int64_t calls_so_far = 0;
    int64_t message_bytes = 0;
  };

  // Sums are kept from here on, until Forget. Without it only the calls of now are known.
  void Keep(const PeerAddress& peer) ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(const PeerAddress& peer) ABSL_LOCKS_EXCLUDED(mu_);

  Known Find(const PeerAddress& peer) const ABSL_LOCKS_EXCLUDED(mu_);
  int64_t CountOf(const PeerAddress& peer) const { return Find(peer).calls; }

 private:
  struct Entry {
    Known known;
    bool is_kept = false;
  };

  void EraseUnused(std::map<PeerAddress, Entry>::iterator at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  std::map<PeerAddress, Entry> peers_ ABSL_GUARDED_BY(mu_);  // Those that are kept or have calls.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_CALLS_BY_PEER_H_
