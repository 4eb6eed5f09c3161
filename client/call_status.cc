#include "client/call_status.h"

#include <string_view>
#include <utility>

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

// What keeps a connection from being made although something listens, by gRPC's words for it; empty where nothing does.
// A server with TLS, and one that wants another certificate of the client, only hang up.
std::string WhyNotTrusted(const std::string& server, std::string_view message) {
  if (Contains(message, "WRONG_VERSION_NUMBER")) {
    return absl::StrCat("the server at ", server,
                        " does not speak TLS: HOST:PORT without https:// and certificates would "
                        "be right");
  }
  if (Contains(message, "CERTIFICATE_VERIFY_FAILED")) {
    return absl::StrCat("the certificate of the server at ", server,
                        " is signed by nobody that is trusted, or not valid now: name its authority (roots)");
  }
  if (Contains(message, "Hostname Verification Check failed") || Contains(message, "not in peer certificate")) {
    return absl::StrCat("the certificate of the server at ", server,
                        " is another name's: use the name that it is for, or say which one to expect (server name)");
  }
  // gRPC 1.51 tells its log why, and nobody else.
  if (Contains(message, "handshake failed")) {
    return absl::StrCat("TLS with the server at ", server,
                        " fails: nobody that is trusted has signed its certificate, that is not valid now, or it does "
                        "not speak TLS at all; name its authority (roots), or leave TLS out");
  }
  for (const std::string_view words : {"Socket closed", "Connection reset", "Broken pipe"}) {
    if (!Contains(message, words)) continue;
    return absl::StrCat(
        "what listens at ", server,
        " hangs up before any call: a server with TLS wants https:// and its authority (roots), one with "
        "mutual TLS a certificate of yours too");
  }
  return "";
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
    std::string why = WhyNotTrusted(server, message);
    message = why.empty() ? absl::StrCat("no server at ", server, ": ", message) : std::move(why);
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
