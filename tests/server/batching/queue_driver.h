// Drives a BatchQueue in tests: calls have letters, time is in milliseconds, batches read "A0 B0 A1".

#ifndef HEARWIRE_TESTS_SERVER_BATCHING_QUEUE_DRIVER_H_
#define HEARWIRE_TESTS_SERVER_BATCHING_QUEUE_DRIVER_H_

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/batch_queue.h"
#include "server/concurrency/steady_time.h"
#include "tests/server/batching/test_call.h"

namespace hearwire {

inline SteadyTime At(double milliseconds) {
  return SteadyTime() + absl::Seconds(1000000) + absl::Milliseconds(milliseconds);
}

class QueueDriver {
 public:
  explicit QueueDriver(const BatchQueueOptions& options, int workers = 1) : queue_(options, workers) {}

  struct Call {
    int network = 0;
    std::vector<int> window_frames;
    SteadyTime deadline = SteadyTime::InfiniteFuture();
    int caller = 0;
    int weight = 1;
  };

  absl::Status Push(char letter, const Call& call, double now = 0) {
    Make(letter, call);
    return queue_.Push(work(letter), work(letter)->total_frames(), At(now), &dropped_);
  }
  // Lets the call in before its windows are there; Bring adds them.
  absl::Status Reserve(char letter, const Call& call, double now = 0, bool open_ended = false) {
    Make(letter, call);
    Reservation reservation{.open_ended = open_ended};
    if (!open_ended) {
      reservation.frames = work(letter)->total_frames();
      reservation.windows = static_cast<int64_t>(call.window_frames.size());
    }
    coming_[letter] = std::exchange(work(letter)->requests, {});
    return queue_.Admit(work(letter), reservation, At(now), &dropped_);
  }
  bool Bring(char letter, int windows, bool complete, double now = 0) {
    std::vector<WindowRequest>& coming = coming_[letter];
    int64_t frames = 0;
    for (int i = 0; i < windows; ++i) frames += coming[static_cast<size_t>(i)].window.frame_count();
    std::vector<WindowRequest> next(coming.begin(), coming.begin() + windows);
    coming.erase(coming.begin(), coming.begin() + windows);
    return queue_.Append(work(letter).get(), std::move(next), frames, complete, At(now));
  }
  // One frame per window.
  absl::Status Push(char letter, int windows, double now = 0) {
    return Push(letter, {.window_frames = std::vector<int>(static_cast<size_t>(windows), 1)}, now);
  }

  // The batch that a free worker gets; it counts as finished right away. Empty when none is due.
  std::string Take(double now = 0, bool company_expected = false) {
    Batch batch;
    if (!queue_.TakeBatch(At(now), company_expected, &batch, &dropped_)) return "";
    queue_.FinishBatch(batch, At(now), false);
    return Describe(batch);
  }

  // Lets the queue measure: a batch of so many frames of a network took so many milliseconds. Nothing may wait.
  void Learn(int network, int frames, double milliseconds, double now = 0) {
    TestCall call(network, 1, frames);
    Batch batch;
    const bool taken = queue_.Push(call.work(), frames, At(now), &dropped_).ok() &&
                       queue_.TakeBatch(At(now), false, &batch, &dropped_);
    if (!taken) std::abort();
    queue_.FinishBatch(batch, At(now + milliseconds), true);
  }

  // The calls dropped since this was last asked: "A cancelled, B expired".
  std::string Dropped() {
    std::string text;
    for (const DroppedCall& dropped : std::exchange(dropped_, {})) {
      if (!text.empty()) text += ", ";
      text += Letter(dropped.call.get());
      text += dropped.reason == absl::StatusCode::kCancelled ? " cancelled" : " expired";
    }
    return text;
  }

  std::string Describe(const Batch& batch) const {
    std::string text;
    for (size_t i = 0; i < batch.owners.size(); ++i) {
      if (i > 0) text += ' ';
      const CallWork* call = batch.calls[static_cast<size_t>(batch.owners[i].call)].get();
      text += Letter(call) + std::to_string(batch.owners[i].window);
    }
    return text;
  }

  std::string Letter(const CallWork* call) const {
    for (const auto& [letter, known] : calls_) {
      if (known->work().get() == call) return std::string(1, letter);
    }
    return "?";
  }

  const std::shared_ptr<CallWork>& work(char letter) { return calls_.at(letter)->work(); }
  BatchQueue& queue() { return queue_; }
  std::vector<DroppedCall>* dropped() { return &dropped_; }

 private:
  void Make(char letter, const Call& call) {
    calls_[letter] = std::make_unique<TestCall>(call.network, call.window_frames);
    work(letter)->deadline = call.deadline;
    work(letter)->caller = call.caller;
    work(letter)->caller_weight = call.weight;
  }

  std::map<char, std::unique_ptr<TestCall>> calls_;
  std::map<char, std::vector<WindowRequest>> coming_;
  BatchQueue queue_;
  std::vector<DroppedCall> dropped_;
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_BATCHING_QUEUE_DRIVER_H_
