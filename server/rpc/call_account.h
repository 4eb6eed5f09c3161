// What is told about one RPC: its id, metrics and the access log at its end, and its failure as gRPC has it.

#ifndef HEARWIRE_SERVER_RPC_CALL_ACCOUNT_H_
#define HEARWIRE_SERVER_RPC_CALL_ACCOUNT_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"
#include "server/listening/calls_by_peer.h"
#include "server/pipeline/call.h"
#include "server/rpc/door.h"
#include "server/rpc/read_request.h"
#include "server/rpc/trace_context.h"
#include "server/telemetry/call_log.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

// What every call reports to. Outlives the calls.
struct CallSinks {
  Metrics* metrics;
  Door* door;
  const std::function<void(const CallRecord&)>& on_call;  // May be empty.
  CallsByPeer* calls_by_peer;                             // May be null.
};

// Told of the calls of one kind when they end. Thread-safe.
class CallTally {
 public:
  virtual ~CallTally() = default;
  virtual void OnCall(bool succeeded, absl::Duration total, int clips, const CallReport& report) = 0;
};

// One for each call, used before its Finish. Not thread-safe.
class CallAccount {
 public:
  // Where a call wants to go.
  enum class Entry {
    kCaller,  // To what callers are let in for.
    kHealth,  // To what may be open to everybody: it is nobody's call.
  };

  // Counts the time from here. Puts the request's id, and the call's part of a trace, into the trailing metadata.
  // method: a literal.
  CallAccount(grpc::CallbackServerContext* context, std::string_view method, CallSinks sinks);

  // The config's or network's name for logs and metrics; the first 200 bytes are kept.
  void set_config(std::string_view name) { config_ = std::string(name.substr(0, 200)); }
  // Who calls, from then on; or why they may not.
  std::optional<RequestFault> PassDoor(Entry entry = Entry::kCaller);
  const Caller& caller() const { return caller_; }
  void set_clips(int clips) { clips_ = clips; }
  // Outlives the call.
  void set_tally(CallTally* tally) { tally_ = tally; }
  // Of the messages on the wire, for the access log.
  void set_request_bytes(int64_t bytes) { request_bytes_ = bytes; }
  int64_t request_bytes() const { return request_bytes_; }
  // A message of so many bytes has come.
  void TakeMessage(int64_t bytes) const { counted_.TakeMessage(bytes); }
  void set_reply_bytes(int64_t bytes) { reply_bytes_ = bytes; }
  // How long it takes is up to the client: it is never a slow call. And its audio is counted as it comes.
  void set_is_stream() { is_stream_ = true; }

  SteadyTime start() const { return start_; }

  // Metrics that count refusals know of this one. Those that the pipeline makes are counted there.
  void CountRefusal(const CallError& error) const;

  // The call ends: once. Fail returns what to finish with, and says in the trailing metadata whether to try again.
  void Succeed(const CallReport& report) const { Report(absl::OkStatus(), "", report); }
  grpc::Status Fail(const RequestFault& fault, const CallReport& report) const;

 private:
  void Report(const absl::Status& status, std::string_view reason, const CallReport& report) const;

  grpc::CallbackServerContext* const context_;
  const std::string_view method_;
  const CallSinks sinks_;
  const SteadyTime start_;
  const CallsByPeer::Counted counted_;
  std::string request_id_;
  Caller caller_;  // Without a name until it has passed the door.
  std::string config_;
  std::optional<TraceContext> trace_;  // Where the caller sent one.
  CallTally* tally_ = nullptr;
  int clips_ = 0;
  int64_t request_bytes_ = 0;
  int64_t reply_bytes_ = 0;
  bool is_stream_ = false;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_CALL_ACCOUNT_H_
