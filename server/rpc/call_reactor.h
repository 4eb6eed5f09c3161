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
#include "server/concurrency/steady_time.h"
#include "server/pipeline/call.h"
#include "server/pipeline/pipeline.h"
#include "server/rpc/read_request.h"
#include "server/rpc/reply_writer.h"
#include "server/telemetry/call_log.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

// What every call reports to. Outlives the calls.
struct CallSinks {
  Metrics* metrics;
  const std::function<void(const CallRecord&)>& on_call;  // May be empty.
};

// Made by a handler and returned by it; deletes itself. Exactly one of Fail, Succeed and Run is called, by the handler.
class CallReactor final : public grpc::ServerUnaryReactor, private ReplySink {
 public:
  // Counts the time from here. method: a literal.
  CallReactor(grpc::CallbackServerContext* context, std::string_view method, CallSinks sinks);

  // Answers at once.
  void Fail(const RequestFault& fault);
  void Succeed();

  // Hands the call to the pipeline. The message that `clips` is of lives as long as the reactor, and so does the one
  // that `writer` writes into.
  void Run(CallRequest request, const AudioClips& clips, absl::Duration max_deadline,
           std::unique_ptr<ReplyWriter> writer, Pipeline* pipeline);

  // The config's or network's name for logs and metrics; the first 200 bytes are kept.
  void set_config(std::string_view name) { config_ = std::string(name.substr(0, 200)); }

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

  // To the sinks; reason: of a failure. Finishing the call comes after it, for this may be gone then.
  void Report(const absl::Status& status, std::string_view reason, const CallReport& report);
  void FailWith(const RequestFault& fault, const CallReport& report);

  grpc::CallbackServerContext* const context_;
  const std::string_view method_;
  const CallSinks sinks_;
  const SteadyTime start_;
  std::string request_id_;
  std::string config_;
  const AudioClips* clips_ = nullptr;
  std::unique_ptr<ReplyWriter> writer_;
  std::string fault_field_;                 // Of what the writer refused.
  std::unique_ptr<Admission::Share> held_;  // Until the reply has left.
  std::atomic<int64_t>* in_flight_ = nullptr;
  // Of each lane. Set before the handler returns, if at all; OnCancel comes later.
  std::vector<std::shared_ptr<CallWork>> works_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_CALL_REACTOR_H_
