// The seam between the typed client and gRPC: the generated stub interfaces.

#ifndef HEARWIRE_CLIENT_STUBS_H_
#define HEARWIRE_CLIENT_STUBS_H_

#include <memory>

#include "client/client.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "hearwire/admin/v1/admin.grpc.pb.h"
#include "hearwire/v1/embedding.grpc.pb.h"

namespace hearwire::client {

class Client::Stubs {
 public:
  Stubs(std::unique_ptr<v1::EmbeddingService::StubInterface> embedding,
        std::unique_ptr<grpc::health::v1::Health::StubInterface> health,
        std::unique_ptr<admin::v1::AdminService::StubInterface> admin = nullptr)
      : embedding(std::move(embedding)), health(std::move(health)), admin(std::move(admin)) {}

  const std::unique_ptr<v1::EmbeddingService::StubInterface> embedding;
  const std::unique_ptr<grpc::health::v1::Health::StubInterface> health;
  const std::unique_ptr<admin::v1::AdminService::StubInterface> admin;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_STUBS_H_
