#include "client/channel.h"

#include <string_view>

#include "absl/strings/str_cat.h"
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

std::string ServiceConfig(int max_attempts) {
  if (max_attempts < 2) return "{}";
  // Health is left out: its answer is wanted as it is. The throttle stops retries while most calls fail.
  return absl::StrCat(R"({
    "methodConfig": [{
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
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5}
  })");
}

std::shared_ptr<grpc::Channel> NewChannel(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.max_reply_bytes));
  arguments.SetServiceConfigJSON(ServiceConfig(options.max_attempts));
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
  if (IsLocal(options.server)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetUserAgentPrefix("hearwire-cpp/" HEARWIRE_VERSION);
  return grpc::CreateCustomChannel(options.server, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace hearwire::client
