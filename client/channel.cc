#include "client/channel.h"

#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/address.h"
#include "client/call_metadata.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace hearwire::client {
namespace {

// A proxy of the environment is for the world outside: it cannot reach this machine's own sockets.
bool IsLocal(std::string_view server) {
  for (const std::string_view prefix :
       {"127.", "localhost:", "[::1]:", "unix:", "unix-abstract:", "ipv4:127.", "ipv6:[::1]"}) {
    if (server.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

std::string ServiceConfig(int max_attempts, bool several_servers) {
  std::vector<std::string> parts;
  // Health's own streams bring no token: a server that asks for one there counts as one that does not serve.
  if (several_servers) {
    parts.emplace_back(R"("loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""})");
  }
  // Health is left out of what is made again: its answer is wanted as it is. The throttle stops retries while most
  // calls fail.
  if (max_attempts > 1) {
    parts.push_back(absl::StrCat(R"("methodConfig": [{
      "name": [{"service": "hearwire.v1.EmbeddingService"}],
      "retryPolicy": {
        "maxAttempts": )",
                                 max_attempts, R"(,
        "initialBackoff": "0.1s",
        "maxBackoff": "5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
      }
    }],
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5})"));
  }
  return absl::StrCat("{", absl::StrJoin(parts, ", "), "}");
}

absl::Status CheckConnection(const ClientOptions& options) {
  if (const absl::StatusOr<Address> address = ParseAddress(options.server); !address.ok()) return address.status();
  if (options.tls && options.tls->certificate.empty() != options.tls->key.empty()) {
    return absl::InvalidArgumentError("a client's certificate goes with its key: give both or neither");
  }
  return CheckMetadata(options);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options,
                                                           grpc::ChannelArguments arguments) {
  if (absl::Status wrong = CheckConnection(options); !wrong.ok()) return wrong;
  const absl::StatusOr<Address> address = ParseAddress(options.server);
  if (!address.ok()) return address.status();
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (options.tls || address->has_tls) {
    const TlsOptions tls = options.tls.value_or(TlsOptions());
    credentials = grpc::SslCredentials({tls.roots, tls.key, tls.certificate});
    if (!tls.server_name.empty()) arguments.SetSslTargetNameOverride(tls.server_name);
  }
  if (!address->authority.empty()) arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, address->authority);
  if (IsLocal(address->target)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  auto interceptors = MetadataInterceptors(options);
  if (interceptors.empty()) return grpc::CreateCustomChannel(address->target, credentials, arguments);
  return grpc::experimental::CreateCustomChannelWithInterceptors(address->target, credentials, arguments,
                                                                 std::move(interceptors));
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> NewChannel(const ClientOptions& options) {
  const absl::StatusOr<Address> address = ParseAddress(options.server);
  if (!address.ok()) return address.status();
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.max_reply_bytes));
  arguments.SetServiceConfigJSON(ServiceConfig(options.max_attempts, address->several));
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, options.max_attempts > 1 ? 1 : 0);
  // gRPC keeps 256 KiB of a call for retries and silently retries nothing larger. Beside the message it keeps a little
  // more (framing, metadata).
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, static_cast<int>(options.max_message_bytes + (64 << 10)));
  // A dead connection is noticed while calls wait on it. At most two pings without data between them: a server with
  // gRPC's defaults tolerates them.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 2);
  // A retry must find the server that has just come back.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5'000);
  // Probing the bandwidth costs large requests time; a larger window saves it.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
  arguments.SetUserAgentPrefix("hearwire-cpp/" HEARWIRE_VERSION);
  return OpenChannel(options, arguments);
}

}  // namespace hearwire::client
