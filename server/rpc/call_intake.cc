#include "server/rpc/call_intake.h"

#include "absl/time/time.h"

namespace hearwire {
namespace {

constexpr absl::Duration kRetryWhileStarting = absl::Seconds(1);
constexpr absl::Duration kRetryWhileDraining = absl::Seconds(1);  // Another server, or this one's successor.

RequestFault Starting() {
  return {{.status = absl::UnavailableError("the server is starting: its networks are not checked yet"),
           .reason = reason::kStarting,
           .retry_after = kRetryWhileStarting},
          ""};
}

}  // namespace

RequestFault Draining() {
  CallError error = ShuttingDown();
  error.retry_after = kRetryWhileDraining;
  return {std::move(error), ""};
}

CallIntake::CallIntake(Metrics* metrics, Door* door, CallsByPeer* calls_by_peer,
                       std::function<void(const CallRecord&)> on_call, int64_t most_fields)
    : metrics_(metrics),
      open_door_(door == nullptr ? std::make_unique<Door>() : nullptr),
      door_(door == nullptr ? open_door_.get() : door),
      calls_by_peer_(calls_by_peer),
      on_call_(std::move(on_call)),
      most_fields_(most_fields) {}

std::optional<RequestFault> CallIntake::CountIn(Needs needs) {
  // Counted before it looks: whoever drains sets the state first and then reads the count.
  in_flight_.fetch_add(1);
  const State state = state_.load();
  if (state == State::kOpen || (state == State::kStarting && needs == Needs::kNothing)) return std::nullopt;
  if (state == State::kDraining && late_admissions_.fetch_sub(1) > 0) return std::nullopt;
  in_flight_.fetch_sub(1);
  return state == State::kStarting ? Starting() : Draining();
}

bool CallIntake::Admit(CallReactor* call, Needs needs) {
  std::optional<RequestFault> fault = CountIn(needs);
  if (!fault) {
    call->CountOut(&in_flight_);
    fault = door_->TakeCall(call->caller(), call->request_bytes());
  }
  if (fault) call->Fail(*fault);
  return !fault;
}

}  // namespace hearwire
