// What is known of a call when it has been answered: for the access log.

#ifndef HEARWIRE_SERVER_RPC_CALL_RECORD_H_
#define HEARWIRE_SERVER_RPC_CALL_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/pipeline/call.h"

namespace hearwire {

struct CallRecord {
  std::string_view method;  // "GetSceneEmbeddings", …
  std::string config;       // The config or, for GetTags, the network as resolved; as asked for when it is not known.
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string_view reason;  // Of a failure; empty when it succeeded.
  std::string message;      // Likewise.
  std::string peer;         // As gRPC writes it: "ipv4:127.0.0.1:40000".
  std::string request_id;
  int clips = 0;
  absl::Duration audio;  // Decoded.
  absl::Duration total;  // From the arrival of the whole request to the reply.
  CallTimes times;
  int64_t request_bytes = 0;
  int64_t reply_bytes = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_CALL_RECORD_H_
