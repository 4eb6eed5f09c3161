// How calls get into a BatchQueue.

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/batching/batch_queue.h"
#include "server/batching/refusal.h"

namespace hearwire {
namespace {

// A refused call pays for looking at so many waiting ones, whether they are cancelled.
constexpr int kSearchedPerRefusal = 16;

// Of the time to its deadline, what a call may be expected to take: paces are averages, and answers take time to
// arrive.
absl::Duration Margin(absl::Duration time) { return time / 5 * 4; }

int64_t Nanoseconds(SteadyTime time) { return absl::ToInt64Nanoseconds(time - SteadyTime()); }

}  // namespace

absl::Status BatchQueue::Admit(std::shared_ptr<CallWork> call, const Reservation& reservation, SteadyTime now,
                               std::vector<DroppedCall>* dropped, int64_t elsewhere) {
  if (!reservation.open_ended && reservation.windows <= 0) return absl::InvalidArgumentError("a call without windows");
  if (call->network < 0) return absl::InvalidArgumentError("a call without a network");
  if (call->cancelled.load(std::memory_order_relaxed)) return absl::CancelledError("cancelled before it was queued");
  if (call->deadline <= now) return absl::DeadlineExceededError("the deadline passed before the call was queued");
  retry_times_.OnCall(call->caller, call->caller_id, now);
  absl::Status refused = CheckRoom(reservation.frames, now, dropped, elsewhere);
  if (!refused.ok()) return refused;

  Waiting& waiting = call->waiting;
  waiting.caller = call->caller;
  shares_.SetWeight(call->caller, call->caller_weight);
  Expectation expected;
  if (!reservation.open_ended) {
    expected = work_ahead_.Expect(call->network, call->caller, reservation.frames, reservation.windows, now);
    refused = CheckTime(*call, expected, now);
    if (!refused.ok()) return refused;
  }

  const size_t index = static_cast<size_t>(call->network);
  while (index >= networks_.size()) networks_.emplace_back(&shares_);
  waiting.arrival = ++arrivals_;
  waiting.position = expected.position;
  waiting.least_position = expected.position > reservation.frames ? expected.position : 0;
  waiting.left = reservation.frames;
  waiting.open_ended = reservation.open_ended;
  waiting.reserved = true;
  waiting.complete = false;
  waiting.next = 0;
  waiting.frames = 0;
  waiting.work = {.network = call->network,
                  .caller = call->caller,
                  .frames = reservation.frames,
                  .position = waiting.position,
                  .arrival = waiting.arrival};
  if (call->deadline != SteadyTime::InfiniteFuture() && !reservation.open_ended) {
    waiting.work.promise = Nanoseconds(now + Margin(call->deadline - now));
  }
  work_ahead_.Add(waiting.work);
  if (reservation.open_ended) ++networks_[index].open_ended;
  queued_frames_ += Reserved(reservation.frames);
  deadlines_.Push({call->deadline, waiting.arrival}, &waiting);
  waiting.self = std::move(call);
  return absl::OkStatus();
}

absl::Status BatchQueue::CheckRoom(int64_t call_frames, SteadyTime now, std::vector<DroppedCall>* dropped,
                                   int64_t elsewhere) {
  const int64_t frames = Reserved(call_frames);
  if (frames > options_.max_queued_frames) {
    return WithRefusal(
        absl::ResourceExhaustedError(absl::StrCat("the call is larger than the whole queue: its windows have ", frames,
                                                  " frames, and at most ", options_.max_queued_frames, " can wait")),
        Refusal::kCallTooLarge);
  }
  const auto full = [&] { return frames > options_.max_queued_frames - elsewhere - queued_frames_; };
  if (full()) DropExpired(now, dropped);
  if (full() && ++refused_since_search_ >= deadlines_.size() / kSearchedPerRefusal) DropCancelled(dropped);
  if (!full()) return absl::OkStatus();
  return WithRefusal(
      absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", elsewhere + queued_frames_, " of ",
                                                options_.max_queued_frames, " frames wait, and the call has ", frames)),
      Refusal::kQueueFull);
}

absl::Status BatchQueue::CheckTime(const CallWork& call, const Expectation& expected, SteadyTime now) {
  const absl::Duration left = call.deadline - now;
  const auto text = [](absl::Duration time) {
    const absl::Duration unit = time < absl::Milliseconds(10) ? absl::Microseconds(1) : absl::Milliseconds(1);
    return absl::FormatDuration(absl::Trunc(time, unit));
  };
  if (expected.own > left) {
    absl::Status refused =
        absl::ResourceExhaustedError(absl::StrCat("the deadline is too short: the call needs ", text(expected.own),
                                                  " on an idle server, and its deadline is in ", text(left)));
    return WithWait(WithRefusal(std::move(refused), Refusal::kDeadlineTooShort), expected.own);
  }
  if (expected.start == absl::ZeroDuration() && expected.end == expected.own) return absl::OkStatus();
  if (expected.start <= options_.max_queue_time && expected.end <= Margin(left)) return absl::OkStatus();
  std::string message = absl::StrCat("the queue is full: ", text(expected.start), " of work runs before the call");
  if (expected.start > options_.max_queue_time) {
    absl::StrAppend(&message, ", and at most ", text(options_.max_queue_time), " may");
  } else {
    absl::StrAppend(&message, ", it would end after ", text(expected.end), ", and its deadline is in ", text(left));
  }
  const absl::Duration ahead = std::max(expected.start, expected.end - expected.own);
  return WithWait(WithRefusal(absl::ResourceExhaustedError(message), Refusal::kQueueFull),
                  retry_times_.Wait(call.caller, ahead, expected.own, now));
}

bool BatchQueue::Append(CallWork* call, std::vector<WindowRequest> requests, int64_t frames, bool complete,
                        SteadyTime now) {
  Waiting& waiting = call->waiting;
  if (waiting.self == nullptr) return false;
  if (waiting.next == static_cast<int>(call->requests.size())) {
    waiting.taken_before += waiting.next;
    waiting.next = 0;
    call->requests = std::move(requests);
  } else {
    // Some wait still. With a limited credit they are few, and so is what stands before them.
    if (waiting.next > static_cast<int>(call->requests.size()) / 2) {
      call->requests.erase(call->requests.begin(), call->requests.begin() + waiting.next);
      waiting.taken_before += std::exchange(waiting.next, 0);
    }
    call->requests.insert(call->requests.end(), requests.begin(), requests.end());
  }
  Network& network = networks_[static_cast<size_t>(call->network)];
  waiting.reserved = false;
  waiting.complete = complete;
  waiting.frames += frames;
  network.frames += frames;
  waiting_frames_ += frames;
  if (!waiting.waits && frames > 0) {
    waiting.waits = true;
    waiting.since = now;
    waiting.since_arrival = ++arrivals_;
    if (network.order.empty()) network.served = std::max(network.served, network_clock_);
    network.order.Add(&waiting);
    network.arrivals.Push(waiting.since_arrival, &waiting);
    ++waiting_calls_;
    if (waiting.open_ended) ++network.open_ended_waiting;
    if (waiting.open_ended) waiting.work.promise = Nanoseconds(now + options_.max_queue_delay);
  }
  int64_t left = std::max(waiting.left, waiting.frames);
  if (complete || waiting.open_ended) left = waiting.frames;
  if (left != waiting.work.frames || waiting.open_ended) SetLeft(call, left);
  if (complete && waiting.frames == 0) TakeOut(call);
  return true;
}

absl::Status BatchQueue::Push(const std::shared_ptr<CallWork>& call, int64_t frames, SteadyTime now,
                              std::vector<DroppedCall>* dropped, int64_t elsewhere) {
  const bool cancelled = call->cancelled.load(std::memory_order_relaxed);
  if (call->waiting.reserved && call->waiting.self == nullptr && !cancelled) {
    return absl::DeadlineExceededError("the deadline passed before the call was queued");
  }
  if (!call->waiting.reserved || frames > call->waiting.left || cancelled || call->deadline <= now) {
    Remove(call.get());
    const Reservation all{.frames = frames, .windows = static_cast<int64_t>(call->requests.size())};
    absl::Status status = Admit(call, all, now, dropped, elsewhere);
    if (!status.ok()) return status;
  }
  Append(call.get(), std::exchange(call->requests, {}), frames, true, now);
  return absl::OkStatus();
}

int64_t BatchQueue::Credit(const CallWork& call) const {
  if (call.waiting.self == nullptr || call.waiting.complete) return 0;
  return std::max<int64_t>(options_.credit_frames - call.waiting.frames, 0);
}

}  // namespace hearwire
