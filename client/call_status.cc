#include "client/call_status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/status_payloads.h"
#include "google/rpc/status.pb.h"

namespace hearwire::client {

std::string CallRequestId(const grpc::ClientContext& context) {
  // A call that fails at once has only trailing metadata.
  for (const auto* metadata : {&context.GetServerInitialMetadata(), &context.GetServerTrailingMetadata()}) {
    const auto found = metadata->find(kRequestIdKey);
    if (found != metadata->end()) return {found->second.data(), found->second.size()};
  }
  return "";
}

absl::Status CallStatus(const grpc::Status& status, const grpc::ClientContext& context, const std::string& server,
                        absl::Duration deadline) {
  if (status.ok()) return absl::OkStatus();
  std::string message = status.error_message();
  // Whatever a server sends comes with metadata, and what it sends on failure mostly with details.
  const bool answered = !context.GetServerInitialMetadata().empty() || !context.GetServerTrailingMetadata().empty() ||
                        !status.error_details().empty();
  const bool unreachable = status.error_code() == grpc::StatusCode::UNAVAILABLE && !answered &&
                           message.find("failed to connect") != std::string::npos;
  if (unreachable) message = absl::StrCat("no server at ", server, ": ", message);
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && !answered) {
    message = absl::StrCat("no reply from ", server, " within ", absl::FormatDuration(deadline));
  }
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), message);
  if (unreachable) result.SetPayload(kUnreachablePayload, absl::Cord());
  if (google::rpc::Status details; !status.error_details().empty() && details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& detail : details.details()) {
      result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
    }
  }
  if (std::string id = CallRequestId(context); !id.empty())
    result.SetPayload(kRequestIdPayload, absl::Cord(std::move(id)));
  return result;
}

}  // namespace hearwire::client
