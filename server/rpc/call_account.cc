#include "server/rpc/call_account.h"

#include <utility>
#include <variant>

#include "server/rpc/request_id.h"
#include "server/rpc/status.h"

namespace hearwire {

CallAccount::CallAccount(grpc::CallbackServerContext* context, std::string_view method, CallSinks sinks)
    : context_(context),
      method_(method),
      sinks_(sinks),
      start_(SteadyTime::Now()),
      counted_(sinks.calls_by_peer, sinks.calls_by_peer == nullptr ? "" : context->peer()) {
  const auto& metadata = context->client_metadata();
  if (const auto sent = metadata.find(kRequestIdKey); sent != metadata.end()) {
    const std::string_view id(sent->second.data(), sent->second.size());
    if (IsSaneRequestId(id)) request_id_ = std::string(id);
  }
  if (request_id_.empty()) request_id_ = NewRequestId();
  context->AddTrailingMetadata(kRequestIdKey, request_id_);
  // Of several none counts: it would not be clear whose trace it is.
  if (metadata.count(kTraceparentKey) != 1) return;
  const grpc::string_ref traceparent = metadata.find(kTraceparentKey)->second;
  trace_ = NewTraceContext({traceparent.data(), traceparent.size()});
  if (trace_) context->AddTrailingMetadata(kTraceparentKey, trace_->Traceparent());
}

std::optional<RequestFault> CallAccount::PassDoor(Entry entry) {
  if (entry == Entry::kHealth) return sinks_.door->EnterHealth(*context_, method_);
  std::variant<Caller, RequestFault> entered = sinks_.door->Enter(*context_, method_);
  if (auto* fault = std::get_if<RequestFault>(&entered)) return std::move(*fault);
  caller_ = std::move(std::get<Caller>(entered));
  return std::nullopt;
}

void CallAccount::CountRefusal(const CallError& error) const {
  if (reason::IsRefusal(error.reason)) sinks_.metrics->OnRejected(error.reason);
}

grpc::Status CallAccount::Fail(const RequestFault& fault, const CallReport& report) const {
  CallError error = fault.error;
  if (trace_) {
    error.facts.emplace_back("trace_id", trace_->trace_id);
    error.facts.emplace_back("span_id", trace_->span_id);
  }
  RpcStatus answer = ToRpcStatus(error, fault.field);
  if (answer.pushback_ms) context_->AddTrailingMetadata(kPushbackKey, *answer.pushback_ms);
  Report(absl::Status(fault.error.status.code(), answer.status.error_message()), fault.error.reason, report);
  return std::move(answer.status);
}

void CallAccount::Report(const absl::Status& status, std::string_view reason, const CallReport& report) const {
  const absl::Duration total = SteadyTime::Now() - start_;
  sinks_.metrics->OnCall(method_, config_, status.code(), total);
  if (tally_ != nullptr) tally_->OnCall(status.ok(), total, clips_, report);
  if (!caller_.name.empty()) {
    // What the caller's limits think of it, its next call is told.
    if (!is_stream_) (void)sinks_.door->Take(caller_, 0, report.audio);
    sinks_.metrics->OnCaller(caller_.name, caller_.is_named, report.audio, report.times.decode + report.times.share);
  }
  if (!sinks_.on_call) return;
  const std::string peer = context_->peer();
  sinks_.on_call({.method = method_,
                  .config = config_,
                  .request_id = request_id_,
                  .peer = peer,
                  .caller = caller_.name,
                  .status = status,
                  .reason = reason,
                  .trace_id = trace_ ? trace_->trace_id : "",
                  .span_id = trace_ ? trace_->span_id : "",
                  .parent_span_id = trace_ ? trace_->parent_span_id : "",
                  .trace_flags = trace_ ? trace_->flags : "",
                  .clips = clips_,
                  .request_bytes = request_bytes_,
                  .reply_bytes = reply_bytes_,
                  .is_stream = is_stream_,
                  .audio = report.audio,
                  .total = total,
                  .decode = report.times.decode,
                  .queued = report.times.queued,
                  .inference = report.times.inference});
}

}  // namespace hearwire
