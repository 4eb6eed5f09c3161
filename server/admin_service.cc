#include "server/admin_service.h"

#include <optional>

#include "server/concurrency/border.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

// When others that wait for a reload may have had theirs.
constexpr absl::Duration kRetryReload = absl::Seconds(1);

void Write(const NameChanges& changes, admin::v1::NameChanges* message) {
  message->mutable_added()->Assign(changes.added.begin(), changes.added.end());
  message->mutable_replaced()->Assign(changes.replaced.begin(), changes.replaced.end());
  message->mutable_removed()->Assign(changes.removed.begin(), changes.removed.end());
}

void Write(const ReloadReport& report, admin::v1::ReloadResponse* response) {
  Write(report.models.networks, response->mutable_networks());
  Write(report.models.heads, response->mutable_heads());
  response->set_certificate_replaced(report.certificate);
  response->set_tokens_replaced(report.tokens);
}

// The codes are those of the reloader, and of what it runs.
RequestFault ToFault(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition:
      return {{.status = status, .reason = reason::kReloadRefused}, ""};
    case absl::StatusCode::kUnavailable:
      return {{.status = status, .reason = reason::kShuttingDown}, ""};
    case absl::StatusCode::kResourceExhausted:
      return {{.status = status, .reason = reason::kTooManyCalls, .retry_after = kRetryReload}, ""};
    default:
      return {FromContained(status), ""};
  }
}

void Answer(const Reloader::Result& result, CallReactor* call) {
  if (!result.ok()) return call->Fail(ToFault(result.status()));
  const absl::Status thrown = Contain([&] { Write(*result, call->NewReply<admin::v1::ReloadResponse>()); });
  if (!thrown.ok()) return call->Fail({FromContained(thrown), ""});
  call->Succeed();
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::Reload(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                               grpc::ByteBuffer* reply) {
  return intake_->Handle(context, "Reload", reply, [&](CallReactor* call) {
    auto* const request = call->NewRequest<admin::v1::ReloadRequest>(static_cast<int64_t>(bytes->Length()));
    std::optional<RequestFault> fault = call->PassDoor();
    // As CallIntake::Enter has it, but for the size.
    if (!fault) fault = ReadSmallMessage(const_cast<grpc::ByteBuffer*>(bytes), request);
    if (fault) return call->Fail(*fault);
    if (!intake_->Admit(call)) return;
    Log(LogLevel::kInfo, "reloading", {{"caller", call->caller().name}});
    request_reload_([call](const Reloader::Result& result) { Answer(result, call); });
  });
}

}  // namespace hearwire
