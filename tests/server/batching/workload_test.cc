#include "server/batching/workload.h"

#include <gtest/gtest.h>

#include "server/concurrency/steady_time.h"

namespace hearwire {
namespace {

SteadyTime At(double seconds) { return SteadyTime() + absl::Seconds(1000 + seconds); }

// A workload that knows that network 0 runs 1000 frames a second.
Workload Known(int workers) {
  Workload workload(workers);
  workload.End(workload.Begin(0, 1000, At(0)), At(1), true);
  return workload;
}

TEST(WorkloadTest, IdleWorkersShareEqually) {
  const Workload workload(4);
  EXPECT_EQ(workload.Share(0, 1000, At(0)), 250);
  EXPECT_EQ(workload.Share(0, 1001, At(0)), 251);
  EXPECT_EQ(workload.Share(0, 3, At(0)), 1);
}

TEST(WorkloadTest, ForgetsThePaceOfANetworkThatIsGone) {
  Workload workload = Known(1);
  EXPECT_GT(workload.CautiousTimeFor(0, 1000, 1, At(1)), absl::ZeroDuration());
  workload.Forget(0);
  workload.Forget(7);  // Which never ran.
  EXPECT_EQ(workload.CautiousTimeFor(0, 1000, 1, At(1)), absl::ZeroDuration()) << "another network may be slower";
  EXPECT_TRUE(workload.TimeFor(0, 1000).has_value()) << "by the pace of all";
}

TEST(WorkloadTest, PoursWhatWaitsOverWhatRuns) {
  Workload workload = Known(3);
  workload.Begin(0, 300, At(10));
  workload.Begin(0, 5000, At(10));
  // One idle worker, one with 300 frames, one with more than its part.
  EXPECT_EQ(workload.Share(0, 1000, At(10)), 650);
  EXPECT_EQ(workload.Share(0, 200, At(10)), 200);
  EXPECT_EQ(workload.Share(0, 1000, At(10.2)), 550);
}

TEST(WorkloadTest, ABatchThatIsLateIsExpectedAnyMoment) {
  Workload workload = Known(2);
  workload.Begin(0, 300, At(10));
  EXPECT_EQ(workload.Share(0, 1000, At(99)), 500);
  EXPECT_EQ(workload.Remaining(At(99)), absl::ZeroDuration());
}

TEST(WorkloadTest, ABatchHasJustBegunWhileNoPaceIsKnown) {
  Workload workload(2);
  workload.Begin(0, 400, At(0));
  EXPECT_EQ(workload.Share(0, 1000, At(1)), 700);
  EXPECT_FALSE(workload.TimeFor(0, 1).has_value());
}

TEST(WorkloadTest, PaceFollowsRecentBatches) {
  Workload workload = Known(1);
  EXPECT_EQ(workload.TimeFor(0, 500), absl::Seconds(0.5));
  for (int i = 0; i < 40; ++i) workload.End(workload.Begin(0, 1000, At(0)), At(4), true);
  EXPECT_NEAR(absl::ToDoubleSeconds(*workload.TimeFor(0, 500)), 2, 0.01);
}

TEST(WorkloadTest, FailedBatchesTeachNothing) {
  Workload workload = Known(1);
  workload.End(workload.Begin(0, 1000, At(0)), At(50), false);
  EXPECT_EQ(workload.TimeFor(0, 1000), absl::Seconds(1));
}

TEST(WorkloadTest, ANetworkWithoutAPaceBorrowsThatOfAll) {
  Workload workload = Known(1);
  EXPECT_EQ(workload.TimeFor(7, 1000), absl::Seconds(1));
  workload.End(workload.Begin(7, 10, At(0)), At(1), true);
  EXPECT_EQ(workload.TimeFor(7, 10), absl::Seconds(1));
  EXPECT_EQ(workload.TimeFor(0, 1000), absl::Seconds(1));
}

TEST(WorkloadTest, WhatRunsIsCountedInTimeAcrossNetworks) {
  Workload workload = Known(2);
  workload.End(workload.Begin(1, 10, At(0)), At(1), true);  // A hundred times slower.
  workload.Begin(0, 1000, At(5));                           // 1 s: 10 frames of network 1.
  EXPECT_EQ(workload.Share(1, 100, At(5)), 55);
  EXPECT_EQ(workload.Remaining(At(5.25)), absl::Seconds(0.75));
}

TEST(WorkloadTest, AFrameCostsWhatItCostAWorkerThatHadMoreToDo) {
  Workload workload(1);
  EXPECT_EQ(workload.FrameCost(0), 0);
  workload.End(workload.Begin(0, 1000, At(0)), At(1), true, true);
  EXPECT_EQ(workload.FrameCost(0), 1'000'000);
  // Half a second went into answers.
  workload.End(workload.Begin(0, 1000, At(1.5)), At(2.5), true, true);
  EXPECT_NEAR(static_cast<double>(workload.FrameCost(0)), 1'270'000, 10'000);
  EXPECT_EQ(workload.Remaining(At(2.5)), absl::ZeroDuration());
  workload.Rest();
  Workload rested = workload;
  rested.End(rested.Begin(0, 1000, At(100)), At(101), true);
  EXPECT_LT(rested.FrameCost(0), 1'270'000) << "nobody had anything to do";
}

TEST(WorkloadTest, AFrameCostsWhatItDidLongerAgoIfThatIsMore) {
  Workload workload = Known(1);
  for (int i = 0; i < 20; ++i) workload.End(workload.Begin(0, 1000, At(2)), At(2.5), true);
  EXPECT_NEAR(absl::ToDoubleSeconds(*workload.TimeFor(0, 1000)), 0.5, 0.01);
  EXPECT_GT(workload.FrameCost(0), 510'000);
  EXPECT_LT(workload.FrameCost(0), 530'000);
}

TEST(WorkloadTest, FindsWhatABatchCostsBesideItsFrames) {
  Workload workload(1);
  EXPECT_EQ(workload.CautiousTimeFor(0, 10, 1, At(0)), absl::ZeroDuration());
  EXPECT_EQ(workload.BatchCostInFrames(0), 0);
  for (int i = 0; i < 50; ++i) {  // A millisecond a frame and a tenth of a second a batch.
    const int frames = 100 + 100 * (i % 5);
    workload.End(workload.Begin(0, frames, At(0)), At(0.1 + 0.001 * frames), true);
  }
  EXPECT_NEAR(absl::ToDoubleSeconds(workload.CautiousTimeFor(0, 1000, 2, At(0.5))), 1.2, 0.05);
  EXPECT_NEAR(absl::ToDoubleSeconds(workload.CautiousTimeFor(0, 10, 1, At(0.5))), 0.11, 0.01);
  EXPECT_NEAR(static_cast<double>(workload.BatchCostInFrames(0)), 77, 3) << "of frames with their part of it";
  EXPECT_NEAR(absl::ToDoubleSeconds(workload.CautiousTimeFor(0, 1000, 2, At(5))), 0.3, 0.02) << "4 s later";
}

TEST(WorkloadTest, WorkersAreBusyWhileABatchRunsFailedOrNotAndNotBetween) {
  Workload workload(2);
  EXPECT_EQ(workload.Busy(At(0)), absl::ZeroDuration());
  const int first = workload.Begin(0, 1, At(0));
  const int second = workload.Begin(0, 1, At(1));
  EXPECT_EQ(workload.Busy(At(3)), absl::Seconds(5)) << "both run";
  workload.End(first, At(3), false, true);
  EXPECT_EQ(workload.Busy(At(5)), absl::Seconds(7));
  workload.End(workload.Begin(0, 1, At(7)), At(8), true);
  workload.End(second, At(8), true);
  EXPECT_EQ(workload.Busy(At(100)), absl::Seconds(11)) << "not what a worker did between two batches";
}

TEST(WorkloadTest, NumbersOfEndedBatchesAreReused) {
  Workload workload(2);
  const int first = workload.Begin(0, 1, At(0));
  const int second = workload.Begin(0, 1, At(0));
  EXPECT_NE(first, second);
  workload.End(first, At(1), true);
  EXPECT_EQ(workload.Begin(0, 1, At(1)), first);
}

}  // namespace
}  // namespace hearwire
