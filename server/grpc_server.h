// gRPC's server with the settings that Hearwire needs.

#ifndef HEARWIRE_SERVER_GRPC_SERVER_H_
#define HEARWIRE_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/listening/calls_by_peer.h"
#include "server/listening/connection_handler.h"
#include "server/listening/listener.h"
#include "server/options.h"
#include "server/reflection_service.h"
#include "server/tls/tls_store.h"

namespace hearwire {

// What a server's connections report to. Outlives it.
struct ConnectionSinks {
  CallsByPeer* calls;  // That services work on.
  ConnectionEvents* events;
  // Whose connections only count in all: addresses without ports, "unix:1000".
  std::function<bool(std::string_view address)> is_exempt;
  int64_t memory_bytes = 0;  // That the machine has. 0: not known, and nobody is closed for it.
};

// Its members use those above them.
struct ListeningServer {
  std::unique_ptr<ReflectionService> reflection;  // Null: off.
  std::unique_ptr<ConnectionHandler> connections;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<Listener> listener;
  int port = 0;
};

// Listens on options.host and options.grpc_port with these services, reflection if it is on, with TLS where there is a
// store of it, and on options.unix_socket, if it names one, without. Requests are bounded by options.max_message_bytes,
// gRPC's buffers and a connection's streams by `capacity`, connections by `options`, which are filled. The services
// must outlive the server. FAILED_PRECONDITION: the port is taken, by another gRPC server too, or the host is no
// address of this machine, or the socket cannot be made.
absl::StatusOr<ListeningServer> StartGrpcServer(const ServerOptions& options, const Capacity& capacity,
                                                const std::vector<grpc::Service*>& services,
                                                std::shared_ptr<TlsStore> tls, const ConnectionSinks& sinks);

// How old a connection can become. gRPC tells its client to go on elsewhere at --max-connection-age, or up to a tenth
// sooner or later; what is left on it after --connection-age-grace from then on ends with it. Infinite: there is no
// age.
absl::Duration MostConnectionAge(const ServerOptions& options);
// When its streams end, so that their clients hear where to go on.
absl::Duration StreamsEndAtAge(const ServerOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_GRPC_SERVER_H_
