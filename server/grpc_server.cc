#include "server/grpc_server.h"

#include <grpcpp/resource_quota.h>
#include <malloc.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/address_space.h"
#include "server/grpc_connections.h"
#include "server/grpc_log.h"
#include "server/listening/listening_sockets.h"
#include "server/other_calls.h"
#include "server/tls/server_credentials.h"

namespace hearwire {
namespace {

constexpr int kLookaheadBytes = 4 << 20;
// Of a connection at a time. What has been read is taken apart even when its connection has been closed, and a call's
// headers become a hundred times as many bytes: gRPC's own 4 MiB are 30,000 calls.
constexpr int kReadBytes = 64 << 10;
constexpr int kFrameBytes = 1 << 20;  // A request of 10 s in two HTTP/2 frames, where the default makes 80.
constexpr absl::Duration kKeepalive = absl::Minutes(2);          // A silent connection is asked whether it lives …
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);  // … and closed after this.
constexpr absl::Duration kMinClientPing = absl::Seconds(10);     // Clients may ask as often, calls or none.

constexpr double kAgeSpread = 1.1;  // gRPC takes a connection's age up to a tenth longer, or shorter.
// How long before the end of an old connection its streams are told to go on elsewhere, at most.
constexpr absl::Duration kStreamsFarewell = absl::Seconds(2);

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

// Calls of a connection that are under way. Enough that under overload they reach the queue, which refuses them at
// once, and do not wait where nobody sees them. More large messages than the memory holds are refused by gRPC's quota.
constexpr int kStreamsPerConnection = 1024;

}  // namespace

absl::StatusOr<ListeningServer> StartGrpcServer(const ServerOptions& options, const Capacity& capacity,
                                                const std::vector<grpc::Service*>& services,
                                                std::shared_ptr<TlsStore> tls, const ConnectionSinks& sinks) {
  TakeGrpcLog();
  // Debian's Abseil looks for cycles among gRPC's locks each time one is taken, as debug builds do.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);

  // Whoever connects from here on waits in the socket until there is a server.
  absl::StatusOr<ListeningSockets> tcp = ListenOnTcp(options.host, options.grpc_port);
  if (!tcp.ok()) return tcp.status();
  FileDescriptor unix_socket;
  if (!options.unix_socket.empty()) {
    absl::StatusOr<FileDescriptor> made = ListenOnUnixSocket(options.unix_socket, options.unix_socket_mode);
    if (!made.ok()) return made.status();
    unix_socket = *std::move(made);
  }
  SocketFile unix_file(options.unix_socket);

  grpc::ServerBuilder builder;
  ListeningServer listening;
  listening.port = tcp->port;
  listening.connections = std::make_unique<GrpcConnections>(
      &builder, tls != nullptr ? TlsServerCredentials(std::move(tls)) : grpc::InsecureServerCredentials(),
      unix_socket.is_open());
  for (grpc::Service* service : services) builder.RegisterService(service);
  if (Reflects(options)) {
    listening.reflection = std::make_unique<ReflectionService>();
    builder.RegisterService(listening.reflection.get());
  }
  WatchOtherCalls(&builder, sinks.calls);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  // gRPC 1.51 inflates a whole message before it looks at its size: 400 kB of zeros took 430 MB.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  grpc::ResourceQuota quota("hearwire");
  quota.Resize(static_cast<size_t>(capacity.message_memory_bytes));
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);  // server/calls_in_flight.h asks it.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kReadBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookaheadBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepalive));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Milliseconds(kMinClientPing));
  if (options.connection_idle_timeout > absl::ZeroDuration()) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(options.connection_idle_timeout));
  }
  if (options.max_connection_age > absl::ZeroDuration()) {
    // Its grace stays infinite, or calls would end before their services could say anything: the listener has its own.
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(options.max_connection_age));
  }
  listening.server = builder.BuildAndStart();
  if (listening.server == nullptr) return absl::InternalError("gRPC does not start: its log says why");

  ListenerOptions limits;
  limits.max_connections = options.max_connections;
  limits.max_connections_per_address = options.max_connections_per_address;
  limits.request_timeout = options.request_timeout;
  limits.most_age = MostConnectionAge(options);
  limits.unacknowledged_timeout = kKeepaliveTimeout;  // gRPC sets the same on sockets that it accepts.
  limits.is_exempt = sinks.is_exempt;
  if (sinks.memory_bytes > 0) {
    limits.memory = {.resident = AnonymousBytes,
                     .give_back = [] { malloc_trim(0); },
                     .limits = {.limit_bytes = sinks.memory_bytes,
                                .calm_bytes = AnonymousBytes(),
                                .max_message_bytes = options.max_message_bytes,
                                .max_calls = kStreamsPerConnection}};
  }
  listening.listener = Listener::Create(std::move(limits), listening.connections.get(), sinks.calls, sinks.events);
  listening.listener->Start(std::move(tcp->sockets), std::move(unix_socket), std::move(unix_file));
  return listening;
}

absl::Duration MostConnectionAge(const ServerOptions& options) {
  if (options.max_connection_age == absl::ZeroDuration()) return absl::InfiniteDuration();
  return options.max_connection_age * kAgeSpread + options.connection_age_grace;
}

absl::Duration StreamsEndAtAge(const ServerOptions& options) {
  return MostConnectionAge(options) - std::min(options.connection_age_grace / 2, kStreamsFarewell);
}

}  // namespace hearwire
