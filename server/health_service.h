// grpc.health.v1.Health: whether this server wants calls.
//
// gRPC's own implementation says SERVING for "" from the moment it listens, and its Watch streams keep a shutdown
// waiting until its deadline. This one starts with NOT_SERVING and can end its streams.

#ifndef HEARWIRE_SERVER_HEALTH_SERVICE_H_
#define HEARWIRE_SERVER_HEALTH_SERVICE_H_

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/concurrency/mutex.h"
#include "server/rpc/door.h"

namespace hearwire {

// Thread-safe. Must outlive the gRPC server that it is registered with.
class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  // Answers for "", the whole server, and for these services, all with one status: NOT_SERVING at first. Other names
  // are NOT_FOUND to Check, SERVICE_UNKNOWN to Watch. door: who may ask; outlives this; null: everybody.
  explicit HealthService(std::vector<std::string> services, const Door* door = nullptr);

  // Tells everyone who watches. After EndWatches nothing is SERVING any more. Does not block.
  void SetServing(bool serving);

  // Ends the Watch streams, present and future, with UNAVAILABLE. Does not block. Idempotent.
  void EndWatches();

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  class Watcher;

  bool IsKnown(const std::string& service) const { return services_.contains(service); }
  grpc::health::v1::HealthCheckResponse::ServingStatus status() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return serving_ && !ended_ ? grpc::health::v1::HealthCheckResponse::SERVING
                               : grpc::health::v1::HealthCheckResponse::NOT_SERVING;
  }

  // What to end a call with that the door turns away.
  std::optional<grpc::Status> TurnAway(const grpc::CallbackServerContext& context, std::string_view method) const;

  const std::set<std::string> services_;
  const Door* const door_;

  Mutex mu_;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_HEALTH_SERVICE_H_
