// BatchQueue under random calls, times, cancellations and removals, against what must always hold.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "server/batching/batch_queue.h"
#include "server/batching/refusal.h"
#include "server/concurrency/steady_time.h"
#include "tests/server/batching/queue_driver.h"

namespace hearwire {
namespace {

constexpr int kNetworks = 3;
constexpr int kCallers = 3;

class RandomQueue {
 public:
  explicit RandomQueue(unsigned seed) : random_(seed) {
    options_.max_batch_frames = Number(1, 60);
    options_.max_queued_frames = Number(50, 2000);
    options_.min_shared_frames = Number(1, 40);
    options_.max_queue_time = absl::InfiniteDuration();
    options_.max_queue_delay = absl::Milliseconds(Number(0, 6));
    workers_ = Number(1, 4);
    queue_ = std::make_unique<BatchQueue>(options_, workers_);
  }

  void Step() {
    now_ += Number(0, 3);
    const int dice = Number(0, 99);
    if (dice < 45) {
      PushOne();
    } else if (dice < 85) {
      TakeOne();
    } else if (dice < 90) {
      FinishOne();
    } else if (dice < 95 && !waiting_.empty()) {
      Some()->work()->cancelled = true;
    } else if (!waiting_.empty()) {
      TestCall* const call = Some();
      queue_->Remove(call->work().get());
      Leave(call->work().get());
    }
    CheckCounts();
  }

  void Drain() {
    while (!waiting_.empty() && !testing::Test::HasFatalFailure()) {
      now_ += 10;
      TakeOne();
      FinishOne();
    }
    EXPECT_EQ(queue_->queued_frames(), 0);
    EXPECT_TRUE(queue_->empty());
    EXPECT_EQ(queue_->NextBatchTime(At(now_), false), SteadyTime::InfiniteFuture());
  }

  int windows_taken() const { return windows_taken_; }
  int refused_by_time() const { return refused_by_time_; }

 private:
  struct Expected {
    TestCall* call;
    int next = 0;
    int64_t frames = 0;
  };

  int Number(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }

  TestCall* Some() {
    auto it = waiting_.begin();
    std::advance(it, Number(0, static_cast<int>(waiting_.size()) - 1));
    return it->second.call;
  }

  void PushOne() {
    std::vector<int> frames(static_cast<size_t>(Number(0, 3) == 0 ? Number(1, 100) : Number(1, 5)));
    for (int& count : frames) count = Number(1, Number(0, 9) == 0 ? 80 : 8);
    calls_.push_back(std::make_unique<TestCall>(Number(0, kNetworks - 1), frames));
    TestCall* const call = calls_.back().get();
    call->work()->caller = Number(0, kCallers - 1);
    call->work()->caller_weight = 1 + call->work()->caller;
    if (Number(0, 1) == 0) call->work()->deadline = At(now_ + Number(0, 200));
    const int64_t total = call->work()->total_frames();
    std::vector<DroppedCall> dropped;
    const absl::Status status = queue_->Push(call->work(), total, At(now_), &dropped);
    CheckDropped(dropped);
    if (status.ok()) {
      ASSERT_GT(call->work()->deadline, At(now_));
      ASSERT_LE(Frames() + total, options_.max_queued_frames);
      waiting_[call->work().get()] = {call, 0, total};
    } else if (RefusalOf(status) == Refusal::kDeadlineTooShort || WaitOf(status).has_value()) {
      ASSERT_NE(call->work()->deadline, SteadyTime::InfiniteFuture());
      ++refused_by_time_;
    } else if (absl::IsResourceExhausted(status)) {
      ASSERT_GT(Frames() + total, options_.max_queued_frames);
    } else {
      ASSERT_TRUE(absl::IsDeadlineExceeded(status)) << status;
      ASSERT_LE(call->work()->deadline, At(now_));
    }
  }

  void TakeOne() {
    if (static_cast<int>(running_.size()) == workers_) FinishOne();
    const bool company = Number(0, 1) == 0;
    const bool due = queue_->NextBatchTime(At(now_), company) <= At(now_);
    Batch batch;
    std::vector<DroppedCall> dropped;
    const std::map<const CallWork*, Expected> before = waiting_;
    for (const auto& [call, expected] : waiting_) positions_[call] = call->waiting.position;
    const bool taken = queue_->TakeBatch(At(now_), company, &batch, &dropped);
    CheckDropped(dropped);
    if (taken) {
      ASSERT_TRUE(due);
      CheckBatch(batch, before);
      running_.push_back(batch);
    } else {
      ASSERT_TRUE(batch.windows.empty());
      ASSERT_TRUE(!due || !dropped.empty());
    }
  }

  void FinishOne() {
    if (running_.empty()) return;
    const size_t index = static_cast<size_t>(Number(0, static_cast<int>(running_.size()) - 1));
    queue_->FinishBatch(running_[index], At(now_), Number(0, 5) > 0);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  void CheckBatch(const Batch& batch, const std::map<const CallWork*, Expected>& before) {
    ASSERT_FALSE(batch.windows.empty());
    CheckOrder(batch, before);
    ASSERT_EQ(batch.windows.size(), batch.owners.size());
    int64_t frames = 0;
    for (size_t i = 0; i < batch.owners.size(); ++i) {
      const CallWork* const call = batch.calls[static_cast<size_t>(batch.owners[i].call)].get();
      const auto it = waiting_.find(call);
      ASSERT_NE(it, waiting_.end()) << "a window of a call that does not wait";
      Expected& expected = it->second;
      ASSERT_EQ(call->network, batch.network);
      ASSERT_GT(call->deadline, At(now_));
      ASSERT_EQ(batch.owners[i].window, expected.next) << "lost, twice, or out of order";
      ASSERT_EQ(batch.windows[i].row, call->requests[static_cast<size_t>(expected.next)].row);
      const int window_frames = batch.windows[i].window.frame_count();
      frames += window_frames;
      expected.frames -= window_frames;
      ++windows_taken_;
      if (++expected.next == static_cast<int>(call->requests.size())) Leave(call);
    }
    ASSERT_EQ(frames, batch.frames);
    ASSERT_TRUE(frames <= options_.max_batch_frames || batch.windows.size() == 1);
  }

  // A call has windows in a batch only if all of its caller's that stood before it on that network are there with all
  // their windows, or if it was the oldest of its caller's.
  void CheckOrder(const Batch& batch, const std::map<const CallWork*, Expected>& before) {
    std::map<const CallWork*, size_t> taken;
    for (const Batch::Owner& owner : batch.owners) ++taken[batch.calls[static_cast<size_t>(owner.call)].get()];
    for (const auto& [call, count] : taken) {
      bool oldest = true;
      bool passes = false;
      for (const auto& [other, expected] : before) {
        if (other == call || other->network != call->network || other->caller != call->caller) continue;
        if (waiting_.count(other) == 0) continue;  // Dropped.
        oldest = oldest && call->waiting.arrival < other->waiting.arrival;
        const bool is_before =
            std::pair(positions_[other], other->waiting.arrival) < std::pair(positions_[call], call->waiting.arrival);
        const size_t left = other->requests.size() - static_cast<size_t>(expected.next);
        passes = passes || (is_before && (taken.count(other) == 0 || taken[other] < left));
      }
      ASSERT_TRUE(oldest || !passes) << "a call passed another of its caller";
    }
  }

  void Leave(const CallWork* call) { waiting_.erase(call); }

  void CheckDropped(const std::vector<DroppedCall>& dropped) {
    for (const DroppedCall& drop : dropped) {
      ASSERT_EQ(waiting_.count(drop.call.get()), 1u) << "dropped, but nothing of it waited";
      if (drop.reason == absl::StatusCode::kCancelled) {
        ASSERT_TRUE(drop.call->cancelled);
      } else {
        ASSERT_EQ(drop.reason, absl::StatusCode::kDeadlineExceeded);
        ASSERT_LE(drop.call->deadline, At(now_));
      }
      Leave(drop.call.get());
    }
  }

  int64_t Frames() const {
    int64_t frames = 0;
    for (const auto& [call, expected] : waiting_) frames += expected.frames;
    return frames;
  }

  void CheckCounts() {
    ASSERT_EQ(queue_->queued_frames(), Frames());
    ASSERT_EQ(queue_->empty(), waiting_.empty());
  }

  std::mt19937 random_;
  BatchQueueOptions options_;
  int workers_ = 1;
  double now_ = 0;
  std::vector<std::unique_ptr<TestCall>> calls_;
  std::unique_ptr<BatchQueue> queue_;
  std::map<const CallWork*, Expected> waiting_;
  std::vector<Batch> running_;
  std::map<const CallWork*, int64_t> positions_;  // Before the last batch was cut.
  int windows_taken_ = 0;
  int refused_by_time_ = 0;
};

TEST(BatchQueueRandomTest, NothingIsLostNothingComesTwiceOrderAndLimitsAreKept) {
  int windows = 0;
  int refused = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    RandomQueue queue(seed);
    for (int step = 0; step < 500; ++step) {
      queue.Step();
      if (HasFatalFailure()) return;
    }
    queue.Drain();
    if (HasFatalFailure()) return;
    windows += queue.windows_taken();
    refused += queue.refused_by_time();
  }
  EXPECT_GT(windows, 10000);
  EXPECT_GT(refused, 100);
}

// With work per window that grows with the calls or the windows that wait, this takes minutes.
TEST(BatchQueueRandomTest, ManyCallsAndLongCallsCostLittle) {
  BatchQueueOptions options;
  options.max_batch_frames = 256;
  options.max_queued_frames = 1 << 20;
  options.max_queue_time = absl::InfiniteDuration();
  BatchQueue queue(options, 2);
  std::vector<std::unique_ptr<TestCall>> calls;
  std::vector<DroppedCall> dropped;
  for (int i = 0; i < 10001; ++i) {
    calls.push_back(std::make_unique<TestCall>(0, i == 0 ? 100'000 : 10, 1));
    calls.back()->work()->deadline = At(1e6 + i * 7919 % 10007);
    ASSERT_TRUE(queue.Push(calls.back()->work(), calls.back()->work()->total_frames(), At(0), &dropped).ok());
  }
  Batch batch;
  int64_t windows = 0;
  while (queue.TakeBatch(At(1), true, &batch, &dropped) || queue.TakeBatch(At(100), true, &batch, &dropped)) {
    windows += static_cast<int64_t>(batch.windows.size());
    queue.FinishBatch(batch, At(1), true);
  }
  EXPECT_EQ(windows, 200'000);
}

}  // namespace
}  // namespace hearwire
