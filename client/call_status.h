// How a finished gRPC call becomes an absl::Status.

#ifndef HEARWIRE_CLIENT_CALL_STATUS_H_
#define HEARWIRE_CLIENT_CALL_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"

namespace hearwire::client {

// The metadata key under which the server names the call, in replies and failures.
inline constexpr char kRequestIdKey[] = "x-request-id";

// The server's code, message and details, the latter as payloads that error_details.h reads. What no server said is put
// in words here: a deadline names its length, a server that cannot be reached its address.
absl::Status CallStatus(const grpc::Status& status, const grpc::ClientContext& context, const std::string& server,
                        absl::Duration deadline);

// Empty when the server gave none. Call it when the call is finished.
std::string CallRequestId(const grpc::ClientContext& context);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_CALL_STATUS_H_
