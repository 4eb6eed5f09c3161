#include "client/call_status.h"

#include <string_view>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/status_payloads.h"
#include "google/rpc/status.pb.h"

namespace hearwire::client {
namespace {

bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// What gRPC says where an HTTP server answers that does not speak it, over HTTP/2 or over HTTP/1.
constexpr std::string_view kHttpStatusWords = "Received http2 header with status: ";
bool SpeaksNoGrpc(std::string_view message) {
  return Contains(message, "http1.x server") || Contains(message, "Failed parsing HTTP/2");
}

}  // namespace

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
  const bool unavailable = status.error_code() == grpc::StatusCode::UNAVAILABLE && !answered;
  const bool unresolved = unavailable && message.starts_with("DNS resolution failed");
  const bool unreachable = unresolved || (unavailable && Contains(message, "failed to connect"));
  if (unresolved) {
    message = absl::StrCat("the server's address ", server, " has a name that cannot be resolved");
  } else if (unreachable && SpeaksNoGrpc(message)) {
    message = absl::StrCat("what answers at ", server, " is not a Hearwire server: it does not speak gRPC");
  } else if (unreachable) {
    message = absl::StrCat("no server at ", server, ": ", message);
  } else if (message.starts_with(kHttpStatusWords)) {
    message = absl::StrCat("what answers at ", server, " is not a Hearwire server: it speaks HTTP, not gRPC (status ",
                           message.substr(kHttpStatusWords.size()), ")");
  }
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
