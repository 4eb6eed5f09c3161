// What every service's calls pass before anything is made of them: whether the server takes calls, who calls, and what
// that one may. One for all services of a server.

#ifndef HEARWIRE_SERVER_RPC_CALL_INTAKE_H_
#define HEARWIRE_SERVER_RPC_CALL_INTAKE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "server/concurrency/border.h"
#include "server/listening/calls_by_peer.h"
#include "server/pipeline/call_errors.h"
#include "server/rpc/call_account.h"
#include "server/rpc/call_reactor.h"
#include "server/rpc/door.h"
#include "server/rpc/read_message.h"
#include "server/rpc/read_request.h"
#include "server/telemetry/call_log.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

// Takes the value out of a step's result, or fails the call.
template <typename T>
bool Take(std::variant<T, RequestFault> result, T* value, CallReactor* call) {
  if (const RequestFault* fault = std::get_if<RequestFault>(&result)) {
    call->Fail(*fault);
    return false;
  }
  *value = std::move(std::get<T>(result));
  return true;
}

// Thread-safe.
class CallIntake {
 public:
  // Where a call goes that the door has let in.
  enum class Needs {
    kNetworks,  // STARTING until the self-test has passed.
    kNothing,   // What is known as soon as the server listens.
  };

  // Null: no door, everybody may call and each address is a caller; no counter by connections. The pointers outlive
  // this. on_call: may be empty. most_fields: of a message.
  CallIntake(Metrics* metrics, Door* door, CallsByPeer* calls_by_peer, std::function<void(const CallRecord&)> on_call,
             int64_t most_fields);

  // As EmbeddingServiceImpl's.
  void Open() { state_.store(State::kOpen); }
  void BeginDrain(int64_t arriving) {
    late_admissions_.store(arriving);
    state_.store(State::kDraining);
  }
  int64_t calls_in_flight() const { return in_flight_.load(); }
  // Whether calls are taken.
  bool is_open() const { return state_.load() == State::kOpen; }

  CallSinks sinks() const { return {metrics_, door_, on_call_, calls_by_peer_}; }

  // Runs a handler of a unary call, and returns the call. method: a literal. What escapes `handler` before it has
  // answered or handed the call on fails the call; later nothing can be contained.
  template <typename Handler>
  CallReactor* Handle(grpc::CallbackServerContext* context, std::string_view method, grpc::ByteBuffer* reply,
                      Handler handler) noexcept {
    // Without memory for a call it ends the program, as it would in gRPC: nobody is there yet to be told.
    auto* const call = new CallReactor(context, method, reply, sinks());  // NOLINT(bugprone-unhandled-exception-at-new)
    const absl::Status thrown = Contain([&] { handler(call); });
    if (thrown.ok()) return call;
    if (call->has_begun()) std::terminate();
    call->Fail({FromContained(thrown), ""});
    return call;
  }

  // What every such handler begins with: who calls and whether they may, and then the request. Null: the call has
  // failed. gRPC shows the bytes as constant; they are this call's, and nobody reads them again.
  template <typename Request>
  const Request* Enter(const grpc::ByteBuffer* bytes, CallReactor* call) {
    auto* const message = call->NewRequest<Request>(static_cast<int64_t>(bytes->Length()));
    std::optional<RequestFault> fault = call->PassDoor();
    if (!fault) fault = ReadMessage(const_cast<grpc::ByteBuffer*>(bytes), most_fields_, message);
    if (fault) call->Fail(*fault);
    return fault ? nullptr : message;
  }

  // What it goes on with when it knows the caller and has read the message: whether the server takes calls, and the
  // caller's limits. False: the call has been failed.
  bool Admit(CallReactor* call, Needs needs = Needs::kNetworks);

  // Counts a call in, which CountOut ends. Else says why not.
  std::optional<RequestFault> CountIn(Needs needs);
  void CountOut() { in_flight_.fetch_sub(1); }

 private:
  enum class State { kStarting, kOpen, kDraining };

  Metrics* const metrics_;
  const std::unique_ptr<Door> open_door_;  // Where none was given.
  Door* const door_;
  CallsByPeer* const calls_by_peer_;
  const std::function<void(const CallRecord&)> on_call_;
  const int64_t most_fields_;
  std::atomic<State> state_ = State::kStarting;
  std::atomic<int64_t> in_flight_ = 0;
  std::atomic<int64_t> late_admissions_ = 0;
};

// UNAVAILABLE, SHUTTING_DOWN: try again in a second.
RequestFault Draining();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_CALL_INTAKE_H_
