#include "server/rpc/call_reactor.h"

#include <algorithm>
#include <utility>

#include "server/rpc/deadline.h"
#include "server/rpc/read_message.h"

namespace hearwire {

CallReactor::CallReactor(grpc::CallbackServerContext* context, std::string_view method, grpc::ByteBuffer* reply,
                         CallSinks sinks)
    : context_(context), account_(context, method, sinks), reply_bytes_(reply) {}

void CallReactor::Fail(const RequestFault& fault) {
  has_begun_ = true;
  account_.CountRefusal(fault.error);
  Finish(account_.Fail(fault, CallReport{}));
}

void CallReactor::Succeed() {
  has_begun_ = true;
  WriteReply();
  account_.Succeed(CallReport{});
  Finish(grpc::Status::OK);
}

void CallReactor::WriteReply() {
  request_.reset();
  WriteMessage(*reply_, reply_bytes_);
  reply_.reset();
  account_.set_reply_bytes(static_cast<int64_t>(reply_bytes_->Length()));
}

void CallReactor::Run(CallRequest request, ClipFields clip_fields, absl::Duration max_deadline,
                      std::unique_ptr<ReplyWriter> writer, Pipeline* pipeline) {
  clip_fields_ = std::move(clip_fields);
  account_.set_clips(static_cast<int>(request.clips.size()));
  request.request_bytes = std::max(request.request_bytes, account_.request_bytes());
  writer_ = std::move(writer);
  request.deadline = std::min(ReadDeadline(context_->raw_deadline()), account_.start() + max_deadline);
  for (const LaneRequest& lane : request.lanes) works_.push_back(lane.work);
  request.caller = account_.caller().name;
  request.caller_weight = account_.caller().weight;
  request.reply = writer_->size();
  request.sink = this;
  has_begun_ = true;
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
    const std::string field = error->clip ? clip_fields_(*error->clip, error->field) : fault_field_;
    Finish(account_.Fail({*error, field}, report));
    return;
  }
  writer_->WriteEnd(SteadyTime::Now() - account_.start(), report.times);
  WriteReply();
  account_.Succeed(report);
  Finish(grpc::Status::OK);
}

}  // namespace hearwire
