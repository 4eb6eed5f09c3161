// The size of message that a server takes, as far as a client knows it.
//
// gRPC refuses a larger one only when all of it has come, with RESOURCE_EXHAUSTED, which a retry policy makes again:
// the same megabytes would travel four times, in vain. So a client asks before it sends much, and again before it
// refuses, for the server may have been started anew.

#ifndef HEARWIRE_CLIENT_KNOWN_LIMIT_H_
#define HEARWIRE_CLIENT_KNOWN_LIMIT_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "client/replies.h"

namespace hearwire::client {

// Thread-safe.
class KnownLimit {
 public:
  // Whether the server is to be asked before a request of so many bytes: those of at most 1 MiB are not worth it.
  bool MustAsk(uint64_t bytes) const {
    return bytes > kNotWorthAsking && bytes > static_cast<uint64_t>(max_message_bytes_.load());
  }

  // The answer. A server that knows no limits, or answers no such question of this caller's, counts as one without a
  // limit. Not OK: what every call to it would fail with now, such as UNAVAILABLE; nothing was learned.
  absl::Status Learn(const absl::Status& status, const ServerLimits& limits);

  // RESOURCE_EXHAUSTED: the request is larger than the server takes.
  absl::Status Check(uint64_t bytes, const std::string& server) const;

 private:
  static constexpr uint64_t kNotWorthAsking = 1 << 20;

  std::atomic<int64_t> max_message_bytes_ = 0;  // 0: not known.
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_KNOWN_LIMIT_H_
