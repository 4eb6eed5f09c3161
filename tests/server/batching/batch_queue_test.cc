#include "server/batching/batch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/batching/refusal.h"
#include "server/concurrency/steady_time.h"
#include "tests/server/batching/queue_driver.h"

namespace hearwire {
namespace {

using testing::HasSubstr;

BatchQueueOptions Options(int64_t max_batch_frames, int64_t max_queued_frames = 1000) {
  BatchQueueOptions options;
  options.max_batch_frames = max_batch_frames;
  options.max_queued_frames = max_queued_frames;
  options.min_shared_frames = 1;
  options.max_queue_delay = absl::Milliseconds(5);
  return options;
}

// Batches of 10 to 100 frames that take 40 ms.
BatchQueueOptions TimedOptions() {
  BatchQueueOptions options = Options(100);
  options.max_batch_time = absl::Milliseconds(40);
  options.min_timed_frames = 10;
  return options;
}

TEST(BatchQueueTest, TakesAllOrNothing) {
  QueueDriver driver(Options(100, 10));
  ASSERT_TRUE(driver.Push('A', 6).ok());
  const absl::Status refused = driver.Push('B', 5);
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(driver.queue().queued_frames(), 6);
  ASSERT_TRUE(driver.Push('C', 4).ok());
  EXPECT_EQ(driver.Take(), "C0 C1 C2 C3 A0 A1 A2 A3 A4 A5");
}

TEST(BatchQueueTest, TellsAFullQueueFromACallLargerThanTheQueue) {
  QueueDriver driver(Options(100, 10));
  ASSERT_TRUE(driver.Push('A', 6).ok());
  const absl::Status full = driver.Push('B', 5);
  EXPECT_TRUE(absl::IsResourceExhausted(full));
  EXPECT_EQ(RefusalOf(full), Refusal::kQueueFull);
  EXPECT_THAT(std::string(full.message()), HasSubstr("6 of 10 frames wait, and the call has 5"));
  const absl::Status too_large = driver.Push('C', 11);
  EXPECT_TRUE(absl::IsResourceExhausted(too_large));
  EXPECT_EQ(RefusalOf(too_large), Refusal::kCallTooLarge);
  EXPECT_THAT(std::string(too_large.message()), HasSubstr("larger than the whole queue: its windows have 11 frames"));
}

TEST(BatchQueueTest, CountsWhatWaitsInQueuesThatShareItsBound) {
  QueueDriver driver(Options(100, 10));
  ASSERT_TRUE(driver.Push('A', 2).ok());
  TestCall fits(0, 4, 1), full(0, 5, 1), alone(0, 10, 1);
  const absl::Status status = driver.queue().Push(full.work(), 5, At(0), driver.dropped(), 4);
  EXPECT_EQ(RefusalOf(status), Refusal::kQueueFull);
  EXPECT_THAT(std::string(status.message()), HasSubstr("6 of 10 frames wait, and the call has 5"));
  EXPECT_EQ(RefusalOf(driver.queue().Push(alone.work(), 10, At(0), driver.dropped(), 4)), Refusal::kQueueFull)
      << "it fits when the others have gone";
  EXPECT_TRUE(driver.queue().Push(fits.work(), 4, At(0), driver.dropped(), 4).ok());
}

TEST(BatchQueueTest, CountsRoomInFramesNotWindows) {
  QueueDriver driver(Options(100, 10));
  EXPECT_TRUE(driver.Push('A', {.window_frames = {9}}).ok());
  EXPECT_FALSE(driver.Push('B', 2).ok());
  EXPECT_TRUE(driver.Push('C', 1).ok());
}

TEST(BatchQueueTest, WhatRunsTakesNoRoom) {
  QueueDriver driver(Options(6, 10));
  ASSERT_TRUE(driver.Push('A', 10).ok());
  Batch running;
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &running, driver.dropped()));
  EXPECT_EQ(driver.queue().queued_frames(), 4);
  EXPECT_TRUE(driver.Push('B', 6).ok());
}

TEST(BatchQueueTest, RefusesCallsThatNobodyWaitsFor) {
  QueueDriver driver(Options(10));
  EXPECT_TRUE(absl::IsDeadlineExceeded(driver.Push('A', {.window_frames = {1}, .deadline = At(3)}, 3)));
  TestCall cancelled(0, 1, 1);
  cancelled.work()->cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(driver.queue().Push(cancelled.work(), 1, At(0), driver.dropped())));
  EXPECT_TRUE(driver.queue().empty());
}

TEST(BatchQueueTest, RefusesACallWithoutWindowsOrNetwork) {
  QueueDriver driver(Options(10));
  EXPECT_TRUE(absl::IsInvalidArgument(driver.Push('A', 0)));
  EXPECT_TRUE(absl::IsInvalidArgument(driver.Push('B', {.network = -1, .window_frames = {1}})));
}

TEST(BatchQueueTest, ABatchLeavesAtOnceWhenNoCompanyIsExpected) {
  QueueDriver driver(Options(10));
  ASSERT_TRUE(driver.Push('A', 1, 7).ok());
  EXPECT_LE(driver.queue().NextBatchTime(At(7), false), At(7));
  EXPECT_EQ(driver.Take(7), "A0");
  EXPECT_EQ(driver.queue().NextBatchTime(At(7), false), SteadyTime::InfiniteFuture());
}

TEST(BatchQueueTest, ABatchWaitsForCompanyUntilItsOldestWindowHasWaitedItsLimit) {
  QueueDriver driver(Options(10));
  ASSERT_TRUE(driver.Push('A', 1, 0).ok());
  ASSERT_TRUE(driver.Push('B', 1, 3).ok());
  EXPECT_EQ(driver.queue().NextBatchTime(At(3), true), At(5));
  EXPECT_EQ(driver.Take(4.9, true), "");
  EXPECT_EQ(driver.Take(5, true), "A0 B0");
}

TEST(BatchQueueTest, TheNextOldestWindowCountsWhenTheOldestHasGone) {
  QueueDriver driver(Options(10));
  ASSERT_TRUE(driver.Push('A', 1, 0).ok());
  ASSERT_TRUE(driver.Push('B', 1, 3).ok());
  driver.queue().Remove(driver.work('A').get());
  EXPECT_EQ(driver.queue().NextBatchTime(At(3), true), At(8));
}

TEST(BatchQueueTest, AFullBatchLeavesThoughCompanyIsExpected) {
  QueueDriver driver(Options(3));
  ASSERT_TRUE(driver.Push('A', 2).ok());
  EXPECT_EQ(driver.Take(0, true), "");
  ASSERT_TRUE(driver.Push('B', 2).ok());
  EXPECT_LE(driver.queue().NextBatchTime(At(0), true), At(0));
  EXPECT_EQ(driver.Take(0, true), "A0 A1 B0");
}

TEST(BatchQueueTest, WhatAFullBatchLeavesIsDueForTheNextWorkerButNewcomersAreNot) {
  QueueDriver driver(Options(3));
  ASSERT_TRUE(driver.Push('A', 5).ok());
  EXPECT_EQ(driver.Take(0, true), "A0 A1 A2");
  EXPECT_EQ(driver.Take(0, true), "A3 A4");
  ASSERT_TRUE(driver.Push('B', 2).ok());
  EXPECT_EQ(driver.Take(0, true), "");
}

TEST(BatchQueueTest, OpenEndedCallsWaitForEachOtherAndNobodyForThem) {
  QueueDriver driver(Options(10));
  const QueueDriver::Call three{.window_frames = {1, 1, 1}};
  ASSERT_TRUE(driver.Reserve('A', three, 0, /*open_ended=*/true).ok());
  ASSERT_TRUE(driver.Bring('A', 1, false, 0));
  EXPECT_EQ(driver.Take(0), "A0") << "it is alone";
  ASSERT_TRUE(driver.Reserve('B', three, 1, /*open_ended=*/true).ok());
  ASSERT_TRUE(driver.Bring('A', 1, false, 2));
  EXPECT_EQ(driver.queue().NextBatchTime(At(2), false), At(7));
  ASSERT_TRUE(driver.Bring('B', 1, false, 3));
  EXPECT_EQ(driver.Take(6.9), "");
  EXPECT_EQ(driver.Take(7), "A1 B0");
  ASSERT_TRUE(driver.Bring('B', 1, false, 8));
  ASSERT_TRUE(driver.Push('C', 1, 8).ok());
  EXPECT_THAT(driver.Take(8), testing::AllOf(testing::HasSubstr("C0"), testing::HasSubstr("B1")));
  driver.queue().Remove(driver.work('B').get());
  ASSERT_TRUE(driver.Bring('A', 1, false, 9));
  EXPECT_EQ(driver.Take(9), "A2");
}

TEST(BatchQueueTest, ANetworkThatWaitsForCompanyDoesNotHoldBackAnother) {
  QueueDriver driver(Options(2));
  ASSERT_TRUE(driver.Push('A', {.network = 0, .window_frames = {1}}).ok());
  ASSERT_TRUE(driver.Push('B', {.network = 1, .window_frames = {1, 1}}).ok());
  EXPECT_EQ(driver.Take(0, true), "B0 B1");
  EXPECT_EQ(driver.Take(0, true), "");
}

TEST(BatchQueueTest, DropsExpiredCallsWhenABatchIsCut) {
  QueueDriver driver(Options(2));
  ASSERT_TRUE(driver.Push('A', {.window_frames = {1, 1, 1}, .deadline = At(10)}).ok());
  ASSERT_TRUE(driver.Push('B', {.network = 1, .window_frames = {1}, .deadline = At(20)}).ok());
  ASSERT_TRUE(driver.Push('C', {.window_frames = {1}}).ok());
  EXPECT_EQ(driver.Take(9), "C0 A0");
  EXPECT_EQ(driver.Dropped(), "");
  EXPECT_EQ(driver.Take(20), "");  // B's deadline is now.
  EXPECT_EQ(driver.Dropped(), "A expired, B expired");
  EXPECT_EQ(driver.queue().queued_frames(), 0);
}

TEST(BatchQueueTest, ANetworkOfCancelledCallsYieldsItsTurn) {
  QueueDriver driver(Options(3));
  ASSERT_TRUE(driver.Push('A', {.network = 0, .window_frames = {1}}).ok());
  ASSERT_TRUE(driver.Push('B', {.network = 1, .window_frames = {1}}).ok());
  driver.work('A')->cancelled = true;
  EXPECT_EQ(driver.Take(), "B0");
  EXPECT_EQ(driver.Dropped(), "A cancelled");
}

TEST(BatchQueueTest, CallsThatNobodyWaitsForMakeRoom) {
  QueueDriver driver(Options(10, 10));
  ASSERT_TRUE(driver.Push('A', {.window_frames = {5}, .deadline = At(10)}).ok());
  ASSERT_TRUE(driver.Push('B', {.window_frames = {5}}).ok());
  EXPECT_EQ(RefusalOf(driver.Push('C', 5, 9)), Refusal::kQueueFull);
  EXPECT_TRUE(driver.Push('D', 5, 10).ok());
  EXPECT_EQ(driver.Dropped(), "A expired");
  driver.work('B')->cancelled = true;
  EXPECT_TRUE(driver.Push('E', 5, 10).ok());
  EXPECT_EQ(driver.Dropped(), "B cancelled");
}

TEST(BatchQueueTest, KeepsABatchWithinItsFrames) {
  QueueDriver driver(Options(10));
  ASSERT_TRUE(driver.Push('A', {.window_frames = {4, 4, 4}}).ok());
  EXPECT_EQ(driver.Take(), "A0 A1");
  EXPECT_EQ(driver.Take(), "A2");
}

TEST(BatchQueueTest, AWindowLargerThanABatchRunsAlone) {
  QueueDriver driver(Options(10));
  ASSERT_TRUE(driver.Push('A', {.window_frames = {25, 3}}).ok());
  EXPECT_EQ(driver.Take(), "A0");
  EXPECT_EQ(driver.Take(), "A1");
}

TEST(BatchQueueTest, ABatchTakesNoLongerThanItMayAtTheRecentPaceButNeedsNotBeSmall) {
  QueueDriver driver(TimedOptions());
  ASSERT_TRUE(driver.Push('A', 400).ok());
  Batch batch;
  const auto take = [&](int now) {
    EXPECT_TRUE(driver.queue().TakeBatch(At(now), false, &batch, driver.dropped()));
    return batch.frames;
  };
  EXPECT_EQ(take(0), 100) << "no pace is known";
  driver.queue().FinishBatch(batch, At(200), true);  // 2 ms a frame.
  EXPECT_EQ(take(200), 20);
  driver.queue().FinishBatch(batch, At(240), true);
  EXPECT_EQ(take(240), 20);
  driver.queue().FinishBatch(batch, At(1240), true);  // 50 ms a frame.
  EXPECT_EQ(take(1240), 10);
}

TEST(BatchQueueTest, WhatFillsABatchOfTheRecentPaceLeavesThoughCompanyIsExpected) {
  QueueDriver driver(TimedOptions());
  ASSERT_TRUE(driver.Push('A', 100).ok());
  Batch batch;
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &batch, driver.dropped()));
  driver.queue().FinishBatch(batch, At(200), true);
  ASSERT_TRUE(driver.Push('B', 19, 200).ok());
  EXPECT_EQ(driver.queue().NextBatchTime(At(200), true), At(205));
  ASSERT_TRUE(driver.Push('C', 1, 200).ok());
  EXPECT_EQ(driver.queue().NextBatchTime(At(200), true), At(200));
}

TEST(BatchQueueTest, NetworksDoNotShareBatches) {
  QueueDriver driver(Options(10));
  ASSERT_TRUE(driver.Push('A', {.network = 2, .window_frames = {1, 1}}).ok());
  ASSERT_TRUE(driver.Push('B', {.network = 0, .window_frames = {1, 1}}).ok());
  EXPECT_EQ(driver.Take(), "B0 B1");
  EXPECT_EQ(driver.Take(), "A0 A1");
}

TEST(BatchQueueTest, DropsACancelledCallWhenItsTurnComesAndFillsTheBatchWithOthers) {
  QueueDriver driver(Options(3));
  ASSERT_TRUE(driver.Push('A', 3).ok());
  ASSERT_TRUE(driver.Push('B', 3).ok());
  driver.work('A')->cancelled = true;
  EXPECT_EQ(driver.Take(), "B0 B1 B2");
  EXPECT_EQ(driver.Dropped(), "A cancelled");
  EXPECT_TRUE(driver.queue().empty());
}

TEST(BatchQueueTest, RemoveTakesTheRestOfACall) {
  QueueDriver driver(Options(2));
  ASSERT_TRUE(driver.Push('A', 3).ok());
  EXPECT_EQ(driver.Take(), "A0 A1");
  ASSERT_TRUE(driver.Push('B', 2).ok());
  driver.queue().Remove(driver.work('A').get());
  driver.queue().Remove(driver.work('A').get());
  EXPECT_EQ(driver.queue().queued_frames(), 2);
  EXPECT_EQ(driver.Take(), "B0 B1");
}

TEST(BatchQueueTest, RemoveAllReturnsEveryCallOnce) {
  QueueDriver driver(Options(1));
  ASSERT_TRUE(driver.Push('A', 1).ok());
  ASSERT_TRUE(driver.Push('B', 2).ok());
  ASSERT_TRUE(driver.Push('C', {.network = 3, .window_frames = {1}}).ok());
  EXPECT_EQ(driver.Take(), "A0");
  std::vector<std::string> letters;
  for (const auto& call : driver.queue().RemoveAll()) letters.push_back(driver.Letter(call.get()));
  EXPECT_THAT(letters, testing::UnorderedElementsAre("B", "C"));
  EXPECT_EQ(driver.queue().queued_frames(), 0);
  EXPECT_EQ(driver.Take(), "");
}

TEST(BatchQueueTest, AQueueThatEndsLetsItsCallsGo) {
  std::weak_ptr<CallWork> call;
  {
    QueueDriver driver(Options(1));
    ASSERT_TRUE(driver.Push('A', 1).ok());
    call = driver.work('A');
  }
  EXPECT_TRUE(call.expired());
}

TEST(BatchQueueTest, EachCallIsInABatchOnceHoweverManyWindows) {
  QueueDriver driver(Options(10));
  ASSERT_TRUE(driver.Push('A', 3).ok());
  ASSERT_TRUE(driver.Push('B', 2).ok());
  Batch batch;
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &batch, driver.dropped()));
  EXPECT_EQ(batch.calls.size(), 2u);
  EXPECT_EQ(batch.frames, 5);
  ASSERT_EQ(batch.windows.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    const CallWork& call = *batch.calls[static_cast<size_t>(batch.owners[i].call)];
    EXPECT_EQ(batch.windows[i].row, call.requests[static_cast<size_t>(batch.owners[i].window)].row);
  }
}

TEST(BatchQueueTest, RetryDelayIsWhatWaitsAtTheRecentPace) {
  QueueDriver driver(Options(100), 2);
  EXPECT_EQ(driver.queue().RetryDelay(At(0)), absl::Milliseconds(10));
  ASSERT_TRUE(driver.Push('A', 200).ok());
  EXPECT_EQ(driver.queue().RetryDelay(At(0)), absl::Seconds(1));  // Nothing is known yet.
  Batch batch;
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &batch, driver.dropped()));
  ASSERT_EQ(batch.frames, 100);
  driver.queue().FinishBatch(batch, At(1000), true);  // 100 frames a second; two workers.
  EXPECT_EQ(driver.queue().RetryDelay(At(1000)), absl::Milliseconds(500));
  ASSERT_TRUE(driver.Push('B', 700).ok());
  EXPECT_EQ(driver.queue().RetryDelay(At(1000)), absl::Seconds(4));
  ASSERT_TRUE(driver.queue().TakeBatch(At(1000), false, &batch, driver.dropped()));
  EXPECT_EQ(driver.queue().RetryDelay(At(1000)), absl::Seconds(4));  // What runs is still to be done.
  EXPECT_EQ(driver.queue().RetryDelay(At(1500)), absl::Milliseconds(3750));
}

TEST(BatchQueueTest, LoadIsWhatWaitsForEachWorkerAtTheRecentPace) {
  QueueDriver driver(Options(100, 1'000'000), 2);
  const auto waiting = [&](double now) { return driver.queue().LoadAt(At(now)).waiting; };
  EXPECT_EQ(waiting(0), absl::ZeroDuration());
  ASSERT_TRUE(driver.Push('A', 200).ok());
  EXPECT_EQ(waiting(0), absl::ZeroDuration()) << "nothing is known yet";
  Batch batch;
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &batch, driver.dropped()));
  ASSERT_EQ(batch.frames, 100);
  driver.queue().FinishBatch(batch, At(1000), true);  // 100 frames a second.
  EXPECT_EQ(waiting(1000), absl::Milliseconds(500));
  ASSERT_TRUE(driver.Reserve('B', {.window_frames = {1000, 2900}}, 1000).ok());
  EXPECT_EQ(waiting(1000), absl::Seconds(20)) << "what is being prepared counts, and it has no bound of 10 s";
  ASSERT_TRUE(driver.queue().TakeBatch(At(1000), false, &batch, driver.dropped()));
  EXPECT_EQ(waiting(1500), absl::Seconds(19.75)) << "what runs counts until it has run";
  EXPECT_EQ(driver.queue().LoadAt(At(1500)).busy, absl::Seconds(1.5));
}

TEST(BatchQueueTest, RetryDelayIsBounded) {
  QueueDriver driver(Options(1, 1'000'000));
  ASSERT_TRUE(driver.Push('A', 10'000).ok());
  Batch batch;
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &batch, driver.dropped()));
  driver.queue().FinishBatch(batch, At(1000), true);
  EXPECT_EQ(driver.queue().RetryDelay(At(1000)), absl::Seconds(10));
}

}  // namespace
}  // namespace hearwire
