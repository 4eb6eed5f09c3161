// Batchers that share one bound of what waits.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "server/batching/refusal.h"
#include "tests/server/batching/batcher_fixture.h"

namespace hearwire {
namespace {

// Two batchers over one backend, with a bound of 100 frames and a busy worker each.
class BatcherBoundTest : public BatcherTest {
 protected:
  BatcherBoundTest() {
    options_.queued_frames = queued_;
    options_.queue.max_queued_frames = 100;
    gated_ = true;
    Start(1);
    other_ = Batcher::Create(options_, &backend_, &observer_).value();
    EXPECT_TRUE(batcher_->Submit(first_.work()).ok());
    EXPECT_TRUE(other_->Submit(second_.work()).ok());
    gate_.WaitForArrivals(2);
  }
  ~BatcherBoundTest() override { gate_.Open(); }

  const std::shared_ptr<QueuedFrames> queued_ = std::make_shared<QueuedFrames>();
  TestCall second_{0, 1, 1, 98};
  std::unique_ptr<Batcher> other_;
};

TEST_F(BatcherBoundTest, WhatWaitsInOneLeavesNoRoomInTheOther) {
  TestCall a(0, 60, 1, 1), b(0, 41, 1, 2), c(0, 40, 1, 3), d(0, 1, 1, 4);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  EXPECT_EQ(RefusalOf(other_->Submit(b.work())), Refusal::kQueueFull);
  EXPECT_TRUE(other_->Submit(c.work()).ok());
  EXPECT_EQ(RefusalOf(batcher_->Submit(d.work())), Refusal::kQueueFull);
  EXPECT_EQ(queued_->reserved, 100);
  EXPECT_EQ(observer_.pending_frames(), 100) << "of both together";
  gate_.Open();
  for (TestCall* call : {&a, &c}) EXPECT_TRUE(call->Wait().ok());
  EXPECT_TRUE(batcher_->Submit(d.work()).ok());
  EXPECT_TRUE(d.Wait().ok());
  for (Batcher* batcher : {batcher_.get(), other_.get()}) batcher->Shutdown(absl::UnavailableError("end"));
  EXPECT_EQ(queued_->reserved, 0);
  EXPECT_EQ(observer_.pending_frames(), 0);
}

TEST_F(BatcherBoundTest, ShutdownOfOneGivesItsRoomBack) {
  TestCall a(0, 100, 1, 1), b(0, 100, 1, 2);
  ASSERT_TRUE(other_->Submit(a.work()).ok());
  std::thread end([&] { other_->Shutdown(absl::UnavailableError("end")); });
  EXPECT_TRUE(absl::IsUnavailable(a.Wait()));
  EXPECT_TRUE(batcher_->Submit(b.work()).ok());
  gate_.Open();
  EXPECT_TRUE(b.Wait().ok());
  end.join();
}

TEST_F(BatcherBoundTest, HoldsWhenBothFillAtTheSameTime) {
  std::vector<std::unique_ptr<TestCall>> calls[2];
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&, i] {
      Batcher* const batcher = i == 0 ? batcher_.get() : other_.get();
      for (int refusals = 0; refusals < 50;) {
        auto call = std::make_unique<TestCall>(0, 1, 3);
        if (batcher->Submit(call->work()).ok()) {
          calls[i].push_back(std::move(call));
        } else {
          ++refusals;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(calls[0].size() + calls[1].size(), 33u) << "of 3 frames each";
  gate_.Open();
  for (const auto& of_one : calls) {
    for (const auto& call : of_one) EXPECT_TRUE(call->Wait().ok());
  }
}

}  // namespace
}  // namespace hearwire
