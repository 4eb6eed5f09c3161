// What requests of several services may get wrong alike.

#ifndef HEARWIRE_SERVER_RPC_REQUEST_FAULTS_H_
#define HEARWIRE_SERVER_RPC_REQUEST_FAULTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "server/rpc/read_request.h"

namespace hearwire {

// NOT_FOUND: no `what` ("config") is called `name`; the nearest of `names` are given, and the method that lists all.
RequestFault UnknownName(const char* what, std::string_view name, absl::Span<const std::string_view> names,
                         const char* method, std::string_view reason, std::string field = "");

// INVALID_ARGUMENT, TOO_MANY_CLIPS, for that field.
std::optional<RequestFault> CheckClipCount(int64_t clips, int max_clips, std::string_view field);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_REQUEST_FAULTS_H_
