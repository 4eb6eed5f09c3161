#include "server/rpc/call_reactor.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "server/rpc/deadline.h"
#include "server/rpc/request_id.h"
#include "server/rpc/status.h"

namespace hearwire {

CallReactor::CallReactor(grpc::CallbackServerContext* context, std::string_view method, CallSinks sinks)
    : context_(context), method_(method), sinks_(sinks), start_(SteadyTime::Now()) {
  const auto& metadata = context->client_metadata();
  if (const auto sent = metadata.find(kRequestIdKey); sent != metadata.end()) {
    const std::string_view id(sent->second.data(), sent->second.size());
    if (IsSaneRequestId(id)) request_id_ = std::string(id);
  }
  if (request_id_.empty()) request_id_ = NewRequestId();
  context->AddTrailingMetadata(kRequestIdKey, request_id_);
}

void CallReactor::Fail(const RequestFault& fault) {
  if (reason::IsRefusal(fault.error.reason)) sinks_.metrics->OnRejected(fault.error.reason);
  FailWith(fault, CallReport{});
}

void CallReactor::Succeed() {
  Report(absl::OkStatus(), "", CallReport{});
  Finish(grpc::Status::OK);
}

void CallReactor::Run(CallRequest request, const AudioClips& clips, absl::Duration max_deadline, WriteReply write_reply,
                      Pipeline* pipeline) {
  clip_count_ = clips.size();
  request.deadline = std::min(ReadDeadline(context_->raw_deadline()), start_ + max_deadline);
  work_ = request.work;
  request.done = [this, &clips, write_reply = std::move(write_reply)](
                     const std::variant<CallResult, CallError>& outcome, const CallReport& report) {
    OnOutcome(outcome, report, clips, write_reply);
  };
  pipeline->Start(std::move(request));
}

void CallReactor::OnCancel() {
  if (work_ != nullptr) work_->cancelled.store(true);
}

void CallReactor::OnOutcome(const std::variant<CallResult, CallError>& outcome, const CallReport& report,
                            const AudioClips& clips, const WriteReply& write_reply) {
  if (const CallError* error = std::get_if<CallError>(&outcome)) {
    return FailWith({*error, error->clip ? ClipField(clips, *error->clip, error->field) : ""}, report);
  }
  const std::optional<RequestFault> fault =
      write_reply(std::get<CallResult>(outcome), SteadyTime::Now() - start_, report.times);
  if (fault) return FailWith(*fault, report);
  Report(absl::OkStatus(), "", report);
  Finish(grpc::Status::OK);
}

void CallReactor::FailWith(const RequestFault& fault, const CallReport& report) {
  RpcStatus answer = ToRpcStatus(fault.error, fault.field);
  if (answer.pushback_ms) context_->AddTrailingMetadata(kPushbackKey, *answer.pushback_ms);
  Report(absl::Status(fault.error.status.code(), answer.status.error_message()), fault.error.reason, report);
  Finish(answer.status);
}

void CallReactor::Report(const absl::Status& status, std::string_view reason, const CallReport& report) {
  const absl::Duration total = SteadyTime::Now() - start_;
  sinks_.metrics->OnCall(method_, config_, status.code(), total);
  if (!sinks_.on_call) return;
  const std::string peer = context_->peer();
  sinks_.on_call({.method = method_,
                  .config = config_,
                  .request_id = request_id_,
                  .peer = peer,
                  .status = status,
                  .reason = reason,
                  .clips = clip_count_,
                  .audio = report.audio,
                  .total = total,
                  .decode = report.times.decode,
                  .queued = report.times.queued,
                  .inference = report.times.inference});
}

}  // namespace hearwire
