// How a batcher ends: its device is lost, it is shut down, it is destroyed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "server/batching/refusal.h"
#include "tests/server/batching/batcher_fixture.h"

namespace hearwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using BatcherEndTest = BatcherTest;

TEST_F(BatcherEndTest, ALostDeviceFailsWhatWaitsAtOnceAndRefusesTheRest) {
  gated_ = true;
  Start(2);
  TestCall lost(0, 1, 64, 1), survivor(1, 1, 64, 2), waiting(0, 5, 64, 3), other(1, 5, 1, 4);
  FailWindow(lost, 0, absl::UnavailableError("fell off the bus"));
  ASSERT_TRUE(batcher_->Submit(lost.work()).ok());
  ASSERT_TRUE(batcher_->Submit(survivor.work()).ok());
  gate_.WaitForArrivals(1);
  second_gate_.WaitForArrivals(1);
  ASSERT_TRUE(batcher_->Submit(waiting.work()).ok());
  ASSERT_TRUE(batcher_->Submit(other.work()).ok());
  gate_.Open();  // Of network 0 only.
  for (TestCall* call : {&lost, &waiting, &other}) {
    const absl::Status status = call->Wait();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(RefusalOf(status), Refusal::kDeviceLost);
    EXPECT_THAT(std::string(status.message()), HasSubstr("fell off the bus"));
  }
  TestCall late(0, 1, 1);
  EXPECT_EQ(RefusalOf(batcher_->Submit(late.work())), Refusal::kDeviceLost);
  EXPECT_EQ(survivor.done_count(), 0);
  FailWindow(survivor, 0, absl::UnavailableError("this one too"));
  second_gate_.Open();
  EXPECT_TRUE(absl::IsUnavailable(survivor.Wait()));
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_EQ(backend_.batches().size(), 2u);
  EXPECT_THAT(observer_.losses(), ElementsAre(absl::UnavailableError("fell off the bus")));
}

TEST_F(BatcherEndTest, WhatWaitsFailsWithTheDeviceAndTheObserverHearsOnce) {
  StartWithABusyWorker();
  FailWindow(first_, 0, absl::UnavailableError("gone"));
  std::vector<std::unique_ptr<TestCall>> calls;
  for (int i = 0; i < 20; ++i) {
    calls.push_back(std::make_unique<TestCall>(i % 2, 40, 4));
    ASSERT_TRUE(batcher_->Submit(calls.back()->work()).ok());
  }
  gate_.Release(1);  // Nothing else may run.
  EXPECT_TRUE(absl::IsUnavailable(first_.Wait()));
  for (const auto& call : calls) {
    EXPECT_TRUE(absl::IsUnavailable(call->Wait()));
    EXPECT_EQ(observer_.losses().size(), 1u);
  }
  EXPECT_EQ(backend_.batches().size(), 1u);
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_EQ(observer_.pending_frames(), 0);
}

TEST_F(BatcherEndTest, ShutdownFailsWhatWaitsAtOnceAndLetsWhatRunsEnd) {
  StartWithABusyWorker();
  TestCall waiting(0, 3, 1);
  ASSERT_TRUE(batcher_->Submit(waiting.work()).ok());
  std::thread shutdown([&] { batcher_->Shutdown(absl::UnavailableError("draining")); });
  EXPECT_EQ(waiting.Wait(), absl::UnavailableError("draining"));  // The gate is still closed.
  EXPECT_EQ(first_.done_count(), 0);
  TestCall late(0, 1, 1);
  EXPECT_EQ(batcher_->Submit(late.work()), absl::UnavailableError("draining"));
  gate_.Open();
  shutdown.join();
  EXPECT_TRUE(first_.Wait().ok());
  EXPECT_TRUE(first_.RowsAreRight());
  batcher_->Shutdown(absl::CancelledError("again"));
  EXPECT_EQ(batcher_->Submit(late.work()), absl::UnavailableError("draining"));
}

TEST_F(BatcherEndTest, ACallOfWhichSomeRunsAtShutdownIsAnsweredWhenThatHasEnded) {
  gated_ = true;
  Start(1);
  TestCall a(0, 100, 1);  // 64 run, 36 wait.
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  gate_.WaitForArrivals(1);
  TestCall waiting(0, 1, 1);
  ASSERT_TRUE(batcher_->Submit(waiting.work()).ok());
  std::thread shutdown([&] { batcher_->Shutdown(absl::UnavailableError("draining")); });
  EXPECT_TRUE(absl::IsUnavailable(waiting.Wait()));
  EXPECT_EQ(a.done_count(), 0);
  gate_.Open();
  EXPECT_EQ(a.Wait(), absl::UnavailableError("draining"));
  shutdown.join();
  EXPECT_EQ(a.done_count(), 1);
  EXPECT_EQ(backend_.batches().size(), 1u);
}

TEST_F(BatcherEndTest, TheBatchThatLostTheDeviceIsNotCountedAsOneThatRan) {
  Start(1);
  TestCall good(0, 1, 1, 1), lost(0, 1, 1, 2);
  FailWindow(lost, 0, absl::UnavailableError("fell off the bus"));
  ASSERT_TRUE(batcher_->Submit(good.work()).ok());
  EXPECT_TRUE(good.Wait().ok());
  ASSERT_TRUE(batcher_->Submit(lost.work()).ok());
  EXPECT_FALSE(lost.Wait().ok());
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_EQ(observer_.batches().size(), 1u);
}

TEST_F(BatcherEndTest, ItsEndFailsWhatWaits) {
  Start(1);
  batcher_->BeginPreparation();
  TestCall a(0, 1, 1);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  batcher_.reset();
  EXPECT_TRUE(absl::IsUnavailable(a.Wait()));
}

}  // namespace
}  // namespace hearwire
