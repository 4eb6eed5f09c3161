#include "server/rpc/call_reactor.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "server/rpc/caller_name.h"
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

void CallReactor::Run(CallRequest request, const AudioClips& clips, absl::Duration max_deadline,
                      std::unique_ptr<ReplyWriter> writer, Pipeline* pipeline) {
  clips_ = &clips;
  writer_ = std::move(writer);
  request.deadline = std::min(ReadDeadline(context_->raw_deadline()), start_ + max_deadline);
  for (const LaneRequest& lane : request.lanes) works_.push_back(lane.work);
  request.caller = CallerName(context_->peer());
  request.reply = writer_->size();
  request.sink = this;
  pipeline->Start(std::move(request));
}

void CallReactor::OnCancel() {
  for (const std::shared_ptr<CallWork>& work : works_) work->cancelled.store(true);
}

std::optional<CallError> CallReactor::OnRows(const WindowRows& rows) {
  std::optional<RequestFault> fault = writer_->WriteRows(rows);
  if (!fault) return std::nullopt;
  fault_field_ = std::move(fault->field);
  return std::move(fault->error);
}

void CallReactor::OnEnd(const CallError* error, const CallReport& report, std::unique_ptr<Admission::Share> held) {
  held_ = std::move(held);
  if (error != nullptr) {
    return FailWith({*error, error->clip ? ClipField(*clips_, *error->clip, error->field) : fault_field_}, report);
  }
  writer_->WriteEnd(SteadyTime::Now() - start_, report.times);
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
                  .clips = clips_ == nullptr ? 0 : clips_->size(),
                  .audio = report.audio,
                  .total = total,
                  .decode = report.times.decode,
                  .queued = report.times.queued,
                  .inference = report.times.inference});
}

}  // namespace hearwire
