// What a failed call's status says beyond its code and message. The details travel with the absl::Status as payloads.

#ifndef HEARWIRE_CLIENT_ERROR_DETAILS_H_
#define HEARWIRE_CLIENT_ERROR_DETAILS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "export.h"  // Beside this file, in the source tree and installed.

namespace hearwire::client {

struct FieldViolation {
  std::string field;  // Of the request, such as "clips[3].pcm.samples".
  std::string description;
};

// The fields of the request that the server objects to; empty when it named none.
HEARWIRE_CLIENT_EXPORT std::vector<FieldViolation> FieldViolations(const absl::Status& status);

// Why the call failed, for programs, such as "REPLY_TOO_LARGE"; empty when the server gave none.
HEARWIRE_CLIENT_EXPORT std::string ErrorReason(const absl::Status& status);

// What belongs to the reason: names and values.
HEARWIRE_CLIENT_EXPORT std::map<std::string, std::string> ErrorMetadata(const absl::Status& status);

// How long the server asks to wait before the call is made again. Absent when it did not say.
HEARWIRE_CLIENT_EXPORT std::optional<absl::Duration> RetryDelay(const absl::Status& status);

// The failed call's id, as in the server's log; empty when the server gave none.
HEARWIRE_CLIENT_EXPORT std::string RequestId(const absl::Status& status);

// Whether no server took the call: it is not running, or its address is wrong. UNAVAILABLE statuses only.
HEARWIRE_CLIENT_EXPORT bool IsUnreachable(const absl::Status& status);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_ERROR_DETAILS_H_
