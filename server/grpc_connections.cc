#include "server/grpc_connections.h"

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/server_credentials.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "server/rpc/door.h"

namespace hearwire {
namespace {

using FromDescriptor = grpc::ServerBuilder::experimental_type::ExternalConnectionType;

// Called for each call of a connection, before its handler.
class UidWriter final : public grpc::AuthMetadataProcessor {
 public:
  explicit UidWriter(std::shared_ptr<std::atomic<int64_t>> uid) : uid_(std::move(uid)) {}

  bool IsBlocking() const override { return false; }

  // The context is the connection's: it is written once, by the first call. Handlers read it after that, and nobody
  // writes any more; calls that begin at the same time are kept apart here.
  grpc::Status Process(const InputMetadata& /*metadata*/, grpc::AuthContext* context, OutputMetadata* /*consumed*/,
                       OutputMetadata* /*response*/) override {
    const int64_t uid = uid_->load();
    if (uid < 0) return grpc::Status::OK;
    MutexLock lock(&mu_);
    if (context->FindPropertyValues(kUidProperty).empty()) context->AddProperty(kUidProperty, std::to_string(uid));
    return grpc::Status::OK;
  }

 private:
  const std::shared_ptr<std::atomic<int64_t>> uid_;
  Mutex mu_;
};

}  // namespace

GrpcConnections::GrpcConnections(grpc::ServerBuilder* builder, std::shared_ptr<grpc::ServerCredentials> tcp,
                                 bool takes_unix)
    : tcp_credentials_(std::move(tcp)),
      tcp_(builder->experimental().AddExternalConnectionAcceptor(FromDescriptor::FROM_FD, tcp_credentials_)) {
  if (!takes_unix) return;
  MutexLock lock(&mu_);
  for (int i = 0; i <= kMaxUids; ++i) {
    UidAcceptor made = {.credentials = grpc::experimental::LocalServerCredentials(UDS),
                        .uid = std::make_shared<std::atomic<int64_t>>(-1),
                        .acceptor = nullptr};
    made.credentials->SetAuthMetadataProcessor(std::make_shared<UidWriter>(made.uid));
    made.acceptor = builder->experimental().AddExternalConnectionAcceptor(FromDescriptor::FROM_FD, made.credentials);
    unix_.push_back(std::move(made));
  }
}

GrpcConnections::UidAcceptor* GrpcConnections::Find(uid_t uid) {
  for (int i = 0; i < kMaxUids; ++i) {
    if (unix_[i].uid->load() < 0) unix_[i].uid->store(uid);
    if (unix_[i].uid->load() == uid) return &unix_[i];
  }
  return &unix_.back();
}

void GrpcConnections::Serve(FileDescriptor socket, std::optional<uid_t> uid) {
  // gRPC asks for it too, and makes an error of a caller that has gone.
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  if (getpeername(socket.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return;
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = socket.Release();
  grpc::experimental::ExternalConnectionAcceptor* acceptor = tcp_.get();
  {
    MutexLock lock(&mu_);
    if (uid && !unix_.empty()) acceptor = Find(*uid)->acceptor.get();
  }
  acceptor->HandleNewConnection(&connection);
}

}  // namespace hearwire
