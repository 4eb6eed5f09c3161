// What is logged of calls.

#ifndef HEARWIRE_SERVER_TELEMETRY_CALL_LOG_H_
#define HEARWIRE_SERVER_TELEMETRY_CALL_LOG_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hearwire {

// One answered call. Strings may be the caller's own, of any content; only their first 200 bytes are written.
struct CallRecord {
  std::string_view method;      // "GetSceneEmbeddings"
  std::string_view config;      // The config's or network's name.
  std::string_view request_id;  // Also in the reply's metadata.
  std::string_view peer;        // "ipv4:127.0.0.1:40000"
  std::string_view caller;      // Its name; empty when the call was turned away at the door.
  absl::Status status;
  std::string_view reason = {};  // Of a failure: an ErrorInfo reason.
  // Of the trace that the caller sent; empty: none.
  std::string_view trace_id = {};
  std::string_view span_id = {};  // Of the call here.
  std::string_view parent_span_id = {};
  std::string_view trace_flags = {};
  int64_t clips = 0;
  int64_t request_bytes = 0;  // Of messages; of a stream, of its samples.
  int64_t reply_bytes = 0;
  bool is_stream = false;
  absl::Duration audio;  // Decoded audio of all clips.
  absl::Duration total;
  absl::Duration decode;
  absl::Duration queued;
  absl::Duration inference;
};

// Writes "call" at debug; "slow call" at info when total is slow_call or more (zero: none is slow; streams never are);
// a call that failed for a reason within the server (INTERNAL, UNKNOWN, DATA_LOSS) as "failed call" at error.
// Thread-safe.
void LogCall(const CallRecord& call, absl::Duration slow_call);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_CALL_LOG_H_
