// grpc.health.v1.Health: whether this server wants calls.
//
// gRPC's own implementation says SERVING for "" from the moment it listens, and its Watch streams keep a shutdown
// waiting until its deadline. This one starts with NOT_SERVING and can end its streams. It reads its requests itself:
// protobuf would make 2 GB of 62 MB of unknown fields, before any handler runs.

#ifndef HEARWIRE_SERVER_HEALTH_SERVICE_H_
#define HEARWIRE_SERVER_HEALTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/concurrency/mutex.h"
#include "server/rpc/door.h"

namespace hearwire {

namespace health_internal {

using RawMethods = grpc::health::v1::Health::WithRawCallbackMethod_Check<
    grpc::health::v1::Health::WithRawCallbackMethod_Watch<grpc::health::v1::Health::Service>>;

}  // namespace health_internal

// Thread-safe. Must outlive the gRPC server that it is registered with.
class HealthService final : public health_internal::RawMethods {
 public:
  // Answers for "", the whole server, and for these services, all with one status: NOT_SERVING at first. Other names
  // are NOT_FOUND to Check, SERVICE_UNKNOWN to Watch; more than a name can have is INVALID_ARGUMENT. door: who may ask;
  // outlives this; null: everybody.
  explicit HealthService(std::vector<std::string> services, const Door* door = nullptr);

  // Tells everyone who watches. After EndWatches nothing is SERVING any more. Does not block.
  void SetServing(bool serving);

  // Ends the Watch streams, present and future, with UNAVAILABLE. Does not block. Idempotent.
  void EndWatches();

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request) override;

 private:
  class Watcher;

  bool IsKnown(const std::string& service) const { return services_.contains(service); }
  grpc::health::v1::HealthCheckResponse::ServingStatus status() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return serving_ && !ended_ ? grpc::health::v1::HealthCheckResponse::SERVING
                               : grpc::health::v1::HealthCheckResponse::NOT_SERVING;
  }

  // What every call begins with: the door, and then the request. Else what to end it with.
  std::optional<grpc::Status> Enter(const grpc::CallbackServerContext& context, std::string_view method,
                                    const grpc::ByteBuffer* bytes, grpc::health::v1::HealthCheckRequest* request) const;

  const std::set<std::string> services_;
  const Door* const door_;

  Mutex mu_;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_HEALTH_SERVICE_H_
