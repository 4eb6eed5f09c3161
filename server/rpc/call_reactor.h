// The gRPC side of one call: from the handler to the last byte.

#ifndef HEARWIRE_SERVER_RPC_CALL_REACTOR_H_
#define HEARWIRE_SERVER_RPC_CALL_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
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

// Made by a handler and returned by it; deletes itself. Exactly one of Fail, Succeed and Run is called, by the handler.
class CallReactor final : public grpc::ServerUnaryReactor, private ReplySink {
 public:
  // Counts the time from here. method: a literal.
  CallReactor(grpc::CallbackServerContext* context, std::string_view method, CallSinks sinks);

  // As CallAccount's. The request's and the reply's message live as long as this.
  std::optional<RequestFault> PassDoor() { return account_.PassDoor(); }
  void set_messages(int64_t request_bytes, const google::protobuf::Message* reply) {
    account_.set_request_bytes(request_bytes);
    reply_ = reply;
  }
  const Caller& caller() const { return account_.caller(); }

  // Whether one of them has been called.
  bool has_begun() const { return has_begun_; }

  // Answers at once.
  void Fail(const RequestFault& fault);
  void Succeed();

  // Hands the call to the pipeline. The message that `clips` is of lives as long as the reactor, and so does the one
  // that `writer` writes into.
  void Run(CallRequest request, const AudioClips& clips, absl::Duration max_deadline,
           std::unique_ptr<ReplyWriter> writer, Pipeline* pipeline);

  // As CallAccount::set_config.
  void set_config(std::string_view name) { account_.set_config(name); }

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

  std::optional<CallError> OnRows(const WindowRows& rows) override;
  void OnEnd(const CallError* error, const CallReport& report, std::unique_ptr<Admission::Share> held) override;

  grpc::CallbackServerContext* const context_;
  CallAccount account_;
  const AudioClips* clips_ = nullptr;
  const google::protobuf::Message* reply_ = nullptr;
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
