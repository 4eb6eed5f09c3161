// gRPC's server with the settings that Hearwire needs.

#ifndef HEARWIRE_SERVER_GRPC_SERVER_H_
#define HEARWIRE_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/options.h"
#include "server/tls/tls_store.h"

namespace hearwire {

struct ListeningServer {
  std::shared_ptr<grpc::ServerCredentials> credentials;  // Outlive the server.
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

// Listens on options.host and options.grpc_port with these services, reflection if it is on, with TLS where there is a
// store of it, and on options.unix_socket, if it names one, without. Requests are bounded by options.max_message_bytes,
// gRPC's buffers and a connection's streams by `capacity`. The services must outlive the server. FAILED_PRECONDITION:
// the port is taken, by another gRPC server too, or the host is no address of this machine, or the socket cannot be
// made.
absl::StatusOr<ListeningServer> StartGrpcServer(const ServerOptions& options, const Capacity& capacity,
                                                const std::vector<grpc::Service*>& services,
                                                std::shared_ptr<TlsStore> tls);

// Calls of all gRPC servers of the process that have begun, with their headers, and not ended: those too whose message
// is still arriving, of which no service knows, for gRPC calls a handler with the whole message. Those of other
// services than ours (CountOtherCalls) do not count. Costs a fraction of a millisecond.
int64_t CountCallsInFlight();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_GRPC_SERVER_H_
