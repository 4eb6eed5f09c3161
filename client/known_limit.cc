#include "client/known_limit.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace hearwire::client {

absl::Status KnownLimit::Learn(const absl::Status& status, const ServerLimits& limits) {
  constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
  switch (status.code()) {
    case absl::StatusCode::kOk:
      max_message_bytes_ = limits.max_message_bytes > 0 ? limits.max_message_bytes : kNoLimit;
      return absl::OkStatus();
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kPermissionDenied:
      max_message_bytes_ = kNoLimit;
      return absl::OkStatus();
    default:
      return status;
  }
}

absl::Status KnownLimit::Check(uint64_t bytes, const std::string& server) const {
  const int64_t limit = max_message_bytes_;
  if (limit == 0 || bytes <= static_cast<uint64_t>(limit)) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("a request of ", bytes, " bytes is larger than the server at ",
                                                   server, " takes (", limit,
                                                   " bytes, its --max-message-bytes): send fewer or shorter clips, or "
                                                   "start the server with a higher limit"));
}

}  // namespace hearwire::client
