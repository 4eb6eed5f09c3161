// The gRPC side of one call: from the handler to the last byte.

#ifndef HEARWIRE_SERVER_RPC_CALL_REACTOR_H_
#define HEARWIRE_SERVER_RPC_CALL_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "server/pipeline/call.h"
#include "server/pipeline/pipeline.h"
#include "server/rpc/call_account.h"
#include "server/rpc/read_request.h"
#include "server/rpc/reply_writer.h"

namespace hearwire {

// Made by a handler and returned by it; deletes itself. Exactly one of Fail, Succeed and Run is called: by the handler,
// or later by whom the handler's last step has handed the call to, on any thread.
class CallReactor final : public grpc::ServerUnaryReactor, private ReplySink {
 public:
  // Counts the time from here. method: a literal. reply: gRPC's, for the bytes of the answer.
  CallReactor(grpc::CallbackServerContext* context, std::string_view method, grpc::ByteBuffer* reply, CallSinks sinks);

  // The call's messages are the reactor's, so that each goes when it has been used: the request before the reply is put
  // into bytes, and the reply then. What they are made from and into is gRPC's.
  template <typename Request>
  Request* NewRequest(int64_t bytes) {
    account_.set_request_bytes(bytes);
    account_.TakeMessage(bytes);
    auto request = std::make_shared<Request>();
    Request* const made = request.get();
    request_ = std::move(request);
    return made;
  }
  template <typename Reply>
  Reply* NewReply() {
    auto reply = std::make_unique<Reply>();
    Reply* const made = reply.get();
    reply_ = std::move(reply);
    return made;
  }

  std::optional<RequestFault> PassDoor(CallAccount::Entry entry = CallAccount::Entry::kCaller) {
    return account_.PassDoor(entry);
  }
  const Caller& caller() const { return account_.caller(); }
  int64_t request_bytes() const { return account_.request_bytes(); }

  // Whether one of them has been called.
  bool has_begun() const { return has_begun_; }

  // Answers at once.
  void Fail(const RequestFault& fault);
  void Succeed();

  // The path of the request's field that an error about a clip is about.
  using ClipFields = std::function<std::string(int clip, AudioField field)>;

  // Hands the call to the pipeline. request.request_bytes: where they are more than came. `clip_fields` may look at the
  // request, and `writer` writes into the reply.
  void Run(CallRequest request, ClipFields clip_fields, absl::Duration max_deadline,
           std::unique_ptr<ReplyWriter> writer, Pipeline* pipeline);

  // As CallAccount has them.
  void set_config(std::string_view name) { account_.set_config(name); }
  void set_tally(CallTally* tally) { account_.set_tally(tally); }

  // Takes one off `in_flight`, which outlives this, when the answer has been sent or cannot be.
  void CountOut(std::atomic<int64_t>* in_flight) { in_flight_ = in_flight; }

 private:
  // gRPC's own, for reactors whose reactions are trivial: it need not hand them to a thread of their own, which costs
  // small calls 5 % of their CPU time. Where a later gRPC lacks it, nothing but that is lost with this line.
  bool InternalInlineable() override { return true; }
  // Only stores a flag.
  void OnCancel() override;
  // On the thread that sent the answer, perhaps within Finish; gRPC frees the messages after it.
  void OnDone() override {
    if (in_flight_ != nullptr) in_flight_->fetch_sub(1);
    delete this;
  }

  // The reply into bytes; both messages are gone then.
  void WriteReply();

  std::optional<CallError> OnRows(const WindowRows& rows) override;
  void OnEnd(const CallError* error, const CallReport& report, std::unique_ptr<Admission::Share> held) override;

  grpc::CallbackServerContext* const context_;
  CallAccount account_;
  grpc::ByteBuffer* const reply_bytes_;
  std::shared_ptr<void> request_;
  std::unique_ptr<google::protobuf::Message> reply_;
  ClipFields clip_fields_;
  std::unique_ptr<ReplyWriter> writer_;
  std::string fault_field_;                 // Of what the writer refused.
  std::unique_ptr<Admission::Share> held_;  // Until the reply has left.
  std::atomic<int64_t>* in_flight_ = nullptr;
  bool has_begun_ = false;
  // Of each lane. Set before the handler returns, if at all; OnCancel comes later.
  std::vector<std::shared_ptr<CallWork>> works_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_CALL_REACTOR_H_
