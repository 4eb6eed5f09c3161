// Errors to gRPC: the one place where a status, its google.rpc details and its retry hints are made.
//
// Details travel in grpc-status-details-bin: an ErrorInfo (domain "hearwire", its reason and facts) with every failure;
// a BadRequest that names the field when one is at fault; a RetryInfo where trying again later may help. The trailer
// grpc-retry-pushback-ms tells gRPC's own retries the same, -1 for never.

#ifndef HEARWIRE_SERVER_RPC_STATUS_H_
#define HEARWIRE_SERVER_RPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <string_view>

#include "server/pipeline/call.h"

namespace hearwire {

inline constexpr char kErrorDomain[] = "hearwire";
inline constexpr char kPushbackKey[] = "grpc-retry-pushback-ms";

struct RpcStatus {
  grpc::Status status;
  std::optional<std::string> pushback_ms;  // Value of kPushbackKey, if it is to be sent.
};

// field: path of the field at fault, such as "clips[3].pcm.samples"; empty for none. It stands before the message.
RpcStatus ToRpcStatus(const CallError& error, std::string_view field);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_STATUS_H_
