// Hands connections to gRPC that it has not accepted itself.
//
// This is the one place for what is not gRPC's stable API here: ServerBuilder::experimental().
// AddExternalConnectionAcceptor, with which gRPC takes a connected socket as if it had accepted it, and
// experimental::LocalServerCredentials. Where a later gRPC has neither, AddListeningPort serves the same calls, without
// limits of connections and without the uids of the machine's own sockets.

#ifndef HEARWIRE_SERVER_GRPC_CONNECTIONS_H_
#define HEARWIRE_SERVER_GRPC_CONNECTIONS_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "server/calls_in_flight.h"
#include "server/concurrency/mutex.h"
#include "server/listening/connection_handler.h"

namespace hearwire {

// Thread-safe. Must outlive the server.
//
// gRPC names the peer of a TCP connection as ever. Of a socket of the machine it knows no more than that, but a
// connection has the credentials of the acceptor that took it: so each uid gets an acceptor of its own, whose
// credentials write the uid into the connection's auth context (kUidProperty in server/rpc/door.h). There are only so
// many, for a server takes no new ones once it is built; further uids share the last, and have no name.
class GrpcConnections final : public ConnectionHandler {
 public:
  static constexpr int kMaxUids = 32;

  // The server that is built takes them. tcp: of TCP connections. takes_unix: whether there are others.
  GrpcConnections(grpc::ServerBuilder* builder, std::shared_ptr<grpc::ServerCredentials> tcp, bool takes_unix);

  // Only while the server runs.
  void Serve(FileDescriptor socket, std::optional<uid_t> uid) override ABSL_LOCKS_EXCLUDED(mu_);
  Calls CountCalls(const PeerAddress& peer) override { return calls_.Count(peer); }

 private:
  using Acceptor = std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>;
  struct UidAcceptor {
    std::shared_ptr<grpc::ServerCredentials> credentials;
    // What those write. -1: nobody's yet. Of the last one always: it is for all others.
    std::shared_ptr<std::atomic<int64_t>> uid;
    Acceptor acceptor;
  };

  UidAcceptor* Find(uid_t uid) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<grpc::ServerCredentials> tcp_credentials_;
  const Acceptor tcp_;
  CallsOfConnections calls_;

  Mutex mu_;
  std::vector<UidAcceptor> unix_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_GRPC_CONNECTIONS_H_
