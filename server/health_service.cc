#include "server/health_service.h"

#include <optional>
#include <utility>

#include "server/rpc/status.h"

namespace hearwire {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

std::set<std::string> WithWholeServer(std::vector<std::string> services) {
  std::set<std::string> all(services.begin(), services.end());
  all.insert("");
  return all;
}

}  // namespace

// One Watch stream; deletes itself when it is done. Everything is guarded by the service's mutex. gRPC calls back after
// the operation that it started has returned, never within it, so operations start under the mutex.
class HealthService::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  // refused: what it ends with at once.
  Watcher(HealthService* service, bool known, std::optional<grpc::Status> refused)
      : service_(service), known_(known), refused_(std::move(refused)) {}

  // Writes the status when it is not the one last written, or finishes when it is time. To be called whenever something
  // has changed, under the service's mutex (which the analysis does not know by the name it has here).
  void Advance() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (writing_ || finished_) return;
    if (refused_ || broken_ || service_->ended_) {
      finished_ = true;
      Finish(refused_  ? *refused_
             : broken_ ? grpc::Status::CANCELLED
                       : grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
      return;
    }
    const HealthCheckResponse::ServingStatus status =
        known_ ? service_->status() : HealthCheckResponse::SERVICE_UNKNOWN;
    if (written_ == status) return;
    written_ = status;
    writing_ = true;
    response_.set_status(status);
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(&service_->mu_);
    writing_ = false;
    if (!ok) broken_ = true;
    Advance();
  }

  void OnCancel() override {
    MutexLock lock(&service_->mu_);
    broken_ = true;
    Advance();
  }

  void OnDone() override {
    {
      MutexLock lock(&service_->mu_);
      service_->watchers_.erase(this);
    }
    delete this;
  }

 private:
  HealthService* const service_;
  const bool known_;
  const std::optional<grpc::Status> refused_;
  std::optional<HealthCheckResponse::ServingStatus> written_;
  bool writing_ = false;
  bool broken_ = false;  // The caller has gone.
  bool finished_ = false;
  HealthCheckResponse response_;
};

HealthService::HealthService(std::vector<std::string> services, const Door* door)
    : services_(WithWholeServer(std::move(services))), door_(door) {}

std::optional<grpc::Status> HealthService::TurnAway(const grpc::CallbackServerContext& context,
                                                    std::string_view method) const {
  if (door_ == nullptr) return std::nullopt;
  const std::optional<RequestFault> fault = door_->EnterHealth(context, method);
  return fault ? std::optional(ToRpcStatus(fault->error, fault->field).status) : std::nullopt;
}

void HealthService::SetServing(bool serving) {
  MutexLock lock(&mu_);
  serving_ = serving;
  for (Watcher* watcher : watchers_) watcher->Advance();
}

void HealthService::EndWatches() {
  MutexLock lock(&mu_);
  ended_ = true;
  for (Watcher* watcher : watchers_) watcher->Advance();
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (std::optional<grpc::Status> refused = TurnAway(*context, "Check")) {
    reactor->Finish(*std::move(refused));
    return reactor;
  }
  if (!IsKnown(request->service())) {
    reactor->Finish(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such service"));
    return reactor;
  }
  {
    MutexLock lock(&mu_);
    response->set_status(status());
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(grpc::CallbackServerContext* context,
                                                                    const HealthCheckRequest* request) {
  auto* watcher = new Watcher(this, IsKnown(request->service()), TurnAway(*context, "Watch"));
  MutexLock lock(&mu_);
  watchers_.insert(watcher);
  watcher->Advance();
  return watcher;
}

}  // namespace hearwire
