// Which connections end before memory does. Policy without sockets, threads or clocks.
//
// What services hold is counted and bounded by them. gRPC bounds the messages that arrive, but neither calls that have
// only begun or were given up at once, nor header blocks that do not end. So memory that passes the mark, to which the
// counted parts do not reach, is held by connections of which services know little. Those are told apart by three
// numbers: what has arrived and is in no message that a service was given, calls that no service knows of, and calls
// that one works on.
//
// A call that only began costs most when it is ended, after its connection has been closed: what that will take counts
// as taken. And connections with more calls than HTTP/2 lets them have at a time, which are given up faster than they
// can be ended, or with more bytes than their calls' messages may have, go before memory is high.

#ifndef HEARWIRE_SERVER_LISTENING_MEMORY_GUARD_H_
#define HEARWIRE_SERVER_LISTENING_MEMORY_GUARD_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace hearwire {

// Thread-safe: it does not change.
class MemoryGuard {
 public:
  using Id = uint64_t;

  // What gRPC holds for a call, from its headers on: 13 kB were measured.
  static constexpr int64_t kBytesPerCall = 16 << 10;
  // What ending it takes for a while, as so many times that; measured: up to 30 kB.
  static constexpr int64_t kCostOfEnd = 3;
  // A connection that holds less in vain is not suspected: some calls always have only begun.
  static constexpr int64_t kLeast = 1 << 20;
  // Likewise where a service works on a call of it: a client that begins as many calls at once as it may.
  static constexpr int64_t kLeastBesideCalls = 24 << 20;
  // So many of an origin at once are one attack, and its others go too.
  static constexpr int kManyOfOrigin = 8;
  static constexpr absl::Duration kLookWhereStill = absl::Milliseconds(250);
  static constexpr absl::Duration kLook = absl::Milliseconds(100);
  static constexpr absl::Duration kLookWhereWatched = absl::Milliseconds(50);

  struct Options {
    int64_t limit_bytes = 0;  // Of memory. 0: there is none, and nothing is done.
    int64_t calm_bytes = 0;   // Resident before the first call.
    int64_t max_message_bytes = 0;
    int64_t max_calls = 0;  // Of a connection that are open at a time.
  };

  // A connection.
  struct Seen {
    Id id = 0;
    std::string_view origin;  // Whose it is; empty where they are many's.
    // Since memory was low: what has arrived beside the messages that services were given.
    int64_t bytes = 0;
    // Likewise: calls that have begun, of which no service has known. Those that have ended count too.
    int64_t unknown_calls = 0;
    int64_t open_calls = 0;   // Those of them that have not ended.
    int64_t known_calls = 0;  // That services work on.
    int64_t given_up = 0;     // Those of them that their client has ended.
  };

  explicit MemoryGuard(const Options& options);

  // From here on what arrives is counted, and floods of calls end.
  int64_t watched() const { return watched_; }
  // From here on others end too, and nobody is let in.
  int64_t high() const { return high_; }
  // Below high() connections need only be looked at when so much more is resident than at the last time.
  int64_t step() const { return step_; }

  // How long memory can be left alone. before: resident at the last look.
  absl::Duration NextLook(int64_t resident, int64_t before) const;

  // Those that are to end now, the worst first, so many as hold what is too much, and the others of
  // origins that have many of them; the next look tells what was gained. Empty where memory is not high and nobody
  // floods, or nobody is suspected.
  std::vector<Id> Worst(int64_t resident, const std::vector<Seen>& connections) const;

 private:
  bool Floods(const Seen& seen) const;
  // What it holds that neither services nor gRPC bound.
  int64_t HeldInVain(const Seen& seen) const;

  int64_t max_message_bytes_;
  int64_t max_calls_;
  int64_t step_;
  int64_t watched_;
  int64_t high_;
  int64_t critical_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_MEMORY_GUARD_H_
