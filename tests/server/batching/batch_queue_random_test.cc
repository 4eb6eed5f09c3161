// BatchQueue under random calls, times, cancellations and removals, against what must always hold.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "server/batching/batch_queue.h"
#include "server/concurrency/steady_time.h"
#include "tests/server/batching/queue_driver.h"

namespace hearwire {
namespace {

constexpr int kNetworks = 3;

class RandomQueue {
 public:
  explicit RandomQueue(unsigned seed) : random_(seed) {
    options_.max_batch_frames = Number(1, 60);
    options_.max_queued_frames = Number(50, 2000);
    options_.min_shared_frames = Number(1, 40);
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

 private:
  struct Expected {
    TestCall* call;
    int next = 0;
    int64_t frames = 0;
    // How many more windows each other call of the network had since both wait.
    std::map<const CallWork*, int> ahead;
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
    if (Number(0, 1) == 0) call->work()->deadline = At(now_ + Number(0, 200));
    const int64_t total = call->work()->total_frames();
    std::vector<DroppedCall> dropped;
    const absl::Status status = queue_->Push(call->work(), total, At(now_), &dropped);
    CheckDropped(dropped);
    if (status.ok()) {
      ASSERT_GT(call->work()->deadline, At(now_));
      ASSERT_LE(Frames() + total, options_.max_queued_frames);
      waiting_[call->work().get()] = {call, 0, total, {}};
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
    const bool taken = queue_->TakeBatch(At(now_), company, &batch, &dropped);
    CheckDropped(dropped);
    if (taken) {
      ASSERT_TRUE(due);
      CheckBatch(batch);
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

  void CheckBatch(const Batch& batch) {
    ASSERT_FALSE(batch.windows.empty());
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
      CheckTurn(&expected);
      if (++expected.next == static_cast<int>(call->requests.size())) Leave(call);
    }
    ASSERT_EQ(frames, batch.frames);
    ASSERT_TRUE(frames <= options_.max_batch_frames || batch.windows.size() == 1);
  }

  // Nobody is more than two windows ahead of another that waits: one for the round that runs, one for the next.
  void CheckTurn(Expected* taker) {
    for (auto& [other, expected] : waiting_) {
      if (expected.call == taker->call || other->network != taker->call->work()->network) continue;
      const int lead = ++taker->ahead[other];
      --expected.ahead[taker->call->work().get()];
      ASSERT_LE(lead, 2) << "a call was passed over";
    }
  }

  void Leave(const CallWork* call) {
    waiting_.erase(call);
    for (auto& [other, expected] : waiting_) expected.ahead.erase(call);
  }

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
  int windows_taken_ = 0;
};

TEST(BatchQueueRandomTest, NothingIsLostNothingComesTwiceTurnsAndLimitsAreKept) {
  int windows = 0;
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
  }
  EXPECT_GT(windows, 10000);
}

// With work per window that grows with the calls or the windows that wait, this takes minutes.
TEST(BatchQueueRandomTest, ManyCallsAndLongCallsCostLittle) {
  BatchQueueOptions options;
  options.max_batch_frames = 256;
  options.max_queued_frames = 1 << 20;
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
