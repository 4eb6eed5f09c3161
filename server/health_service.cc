#include "server/health_service.h"

#include <optional>
#include <utility>

#include "server/rpc/read_message.h"
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
class HealthService::Watcher final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
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
    HealthCheckResponse response;
    response.set_status(status);
    response_.Clear();
    WriteMessage(response, &response_);
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
  grpc::ByteBuffer response_;
};

HealthService::HealthService(std::vector<std::string> services, const Door* door)
    : services_(WithWholeServer(std::move(services))), door_(door) {}

std::optional<grpc::Status> HealthService::Enter(const grpc::CallbackServerContext& context, std::string_view method,
                                                 const grpc::ByteBuffer* bytes, HealthCheckRequest* request) const {
  std::optional<RequestFault> fault;
  if (door_ != nullptr) fault = door_->EnterHealth(context, method);
  // gRPC shows the bytes as constant; they are this call's, and nobody reads them again.
  if (!fault) fault = ReadSmallMessage(const_cast<grpc::ByteBuffer*>(bytes), request);
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

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                               grpc::ByteBuffer* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  HealthCheckRequest request;
  if (std::optional<grpc::Status> refused = Enter(*context, "Check", bytes, &request)) {
    reactor->Finish(*std::move(refused));
    return reactor;
  }
  if (!IsKnown(request.service())) {
    reactor->Finish(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such service"));
    return reactor;
  }
  HealthCheckResponse answer;
  {
    MutexLock lock(&mu_);
    answer.set_status(status());
  }
  WriteMessage(answer, response);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* HealthService::Watch(grpc::CallbackServerContext* context,
                                                                 const grpc::ByteBuffer* bytes) {
  HealthCheckRequest request;
  std::optional<grpc::Status> refused = Enter(*context, "Watch", bytes, &request);
  auto* watcher = new Watcher(this, IsKnown(request.service()), std::move(refused));
  MutexLock lock(&mu_);
  watchers_.insert(watcher);
  watcher->Advance();
  return watcher;
}

}  // namespace hearwire
