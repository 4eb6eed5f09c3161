// Which calls BatchQueue lets in, by time and by reservation. A frame takes 10 ms in all of these.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/batching/batch_queue.h"
#include "server/batching/refusal.h"
#include "tests/server/batching/queue_driver.h"

namespace hearwire {
namespace {

using testing::HasSubstr;

BatchQueueOptions Options(int64_t max_batch_frames = 10) {
  BatchQueueOptions options;
  options.max_batch_frames = max_batch_frames;
  options.min_shared_frames = 1;
  return options;
}

std::vector<int> Windows(int count) { return std::vector<int>(static_cast<size_t>(count), 1); }

class BatchAdmissionTest : public testing::Test {
 protected:
  void SetUp() override { driver_.Learn(0, 10, 100, -100); }

  QueueDriver driver_{Options()};
};

TEST_F(BatchAdmissionTest, RefusesACallThatCannotEndByItsDeadlineBehindOthers) {
  ASSERT_TRUE(driver_.Push('A', {.window_frames = Windows(50), .deadline = At(740)}).ok());
  const absl::Status refused = driver_.Push('B', {.window_frames = Windows(10), .deadline = At(400)});
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(RefusalOf(refused), Refusal::kQueueFull);
  EXPECT_EQ(WaitOf(refused), absl::Milliseconds(250));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("500ms of work runs before the call, it would end after 600ms, and its deadline is in 400ms"));
  EXPECT_EQ(driver_.queue().queued_frames(), 50);
  EXPECT_TRUE(driver_.Push('C', {.window_frames = Windows(10), .deadline = At(750)}).ok());
}

TEST_F(BatchAdmissionTest, CountsWhatRuns) {
  ASSERT_TRUE(driver_.Push('A', 10).ok());
  Batch batch;
  ASSERT_TRUE(driver_.queue().TakeBatch(At(0), false, &batch, driver_.dropped()));
  EXPECT_EQ(RefusalOf(driver_.Push('B', {.window_frames = Windows(1), .deadline = At(136)})), Refusal::kQueueFull);
  EXPECT_TRUE(driver_.Push('C', {.window_frames = Windows(1), .deadline = At(136)}, 20).ok());
}

TEST_F(BatchAdmissionTest, TellsADeadlineThatNoServerCouldKeep) {
  const absl::Status refused = driver_.Push('A', {.window_frames = Windows(10), .deadline = At(99)});
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(RefusalOf(refused), Refusal::kDeadlineTooShort);
  EXPECT_EQ(WaitOf(refused), absl::Milliseconds(100)) << "what it needs";
  EXPECT_THAT(std::string(refused.message()), HasSubstr("needs 100ms on an idle server, and its deadline is in 99ms"));
  EXPECT_TRUE(driver_.Push('B', {.window_frames = Windows(10), .deadline = At(100)}).ok())
      << "an idle server may use all the time";
  EXPECT_EQ(RefusalOf(driver_.Push('C', {.window_frames = Windows(10), .deadline = At(99)})),
            Refusal::kDeadlineTooShort)
      << "not QUEUE_FULL, though others wait";
}

TEST_F(BatchAdmissionTest, KnowsThatWorkersShareACall) {
  QueueDriver driver(Options(), 2);
  driver.Learn(0, 10, 100, -100);
  EXPECT_TRUE(driver.Push('A', {.window_frames = Windows(10), .deadline = At(51)}).ok());
  EXPECT_FALSE(driver.Push('B', {.window_frames = {10}, .deadline = At(99)}).ok()) << "a window is not divided";
}

TEST_F(BatchAdmissionTest, CountsTheBatchesThatACallTakes) {
  QueueDriver driver(Options(40));
  for (int i = 0; i < 20; ++i) {  // 10 ms a frame and 20 ms a batch.
    driver.Learn(0, 10, 120, -500);
    driver.Learn(0, 40, 420, -500);
  }
  EXPECT_EQ(RefusalOf(driver.Push('A', {.window_frames = Windows(1), .deadline = At(25)})), Refusal::kDeadlineTooShort);
  EXPECT_TRUE(driver.Push('B', {.window_frames = Windows(1), .deadline = At(35)}).ok());
  driver.queue().RemoveAll();
  EXPECT_EQ(RefusalOf(driver.Push('C', {.window_frames = Windows(80), .deadline = At(830)})),
            Refusal::kDeadlineTooShort);
  EXPECT_TRUE(driver.Push('D', {.window_frames = Windows(80), .deadline = At(850)}).ok());
}

TEST_F(BatchAdmissionTest, BoundsTheWorkThatRunsBeforeACall) {
  ASSERT_TRUE(driver_.Push('A', 101).ok()) << "its own work does not count";
  const absl::Status refused = driver_.Push('B', 200);
  EXPECT_EQ(RefusalOf(refused), Refusal::kQueueFull);
  EXPECT_EQ(WaitOf(refused), absl::Milliseconds(510));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("1.01s of work runs before the call, and at most 1s may"));
  EXPECT_TRUE(driver_.Push('C', 1).ok()) << "A does not run before it";
}

TEST_F(BatchAdmissionTest, CallsOfACallerThatAreRefusedComeAgainOneAfterTheOther) {
  ASSERT_TRUE(driver_.Push('A', {.window_frames = Windows(150)}).ok());
  EXPECT_EQ(WaitOf(driver_.Push('B', 200)), absl::Milliseconds(1000));
  EXPECT_EQ(WaitOf(driver_.Push('C', 300)), absl::Milliseconds(3000)) << "behind B";
  EXPECT_EQ(WaitOf(driver_.Push('D', 300, 1000)), absl::Milliseconds(5000)) << "behind C, a second later";
  EXPECT_EQ(WaitOf(driver_.Push('E', 300)), absl::Milliseconds(9000)) << "no longer";
  EXPECT_EQ(WaitOf(driver_.Push('F', 300)), absl::Milliseconds(9500));
}

TEST_F(BatchAdmissionTest, AFloodOfOneCallerKeepsNoOtherOut) {
  ASSERT_TRUE(driver_.Push('A', {.window_frames = Windows(100), .caller = 1}).ok());
  EXPECT_FALSE(driver_.Push('B', {.window_frames = Windows(200), .caller = 1}).ok() &&
               driver_.Push('C', {.window_frames = Windows(300), .caller = 1}).ok());
  EXPECT_TRUE(driver_.Push('D', {.window_frames = Windows(300), .caller = 2}).ok());
}

TEST_F(BatchAdmissionTest, OtherCallersHaveTheirShareMeanwhile) {
  ASSERT_TRUE(driver_.Push('A', {.window_frames = Windows(300), .caller = 1}).ok());
  // 10 frames of its own, and 10 of A's.
  EXPECT_EQ(RefusalOf(driver_.Push('B', {.window_frames = Windows(10), .deadline = At(245), .caller = 2})),
            Refusal::kQueueFull);
  EXPECT_TRUE(driver_.Push('C', {.window_frames = Windows(10), .deadline = At(250), .caller = 2}).ok());
  // 10 frames of its own, 10 of A's, and 10 of C's.
  EXPECT_FALSE(driver_.Push('D', {.window_frames = Windows(10), .deadline = At(370), .caller = 3}).ok());
  EXPECT_TRUE(driver_.Push('E', {.window_frames = Windows(10), .deadline = At(375), .caller = 3}).ok());
}

TEST_F(BatchAdmissionTest, OtherNetworksOfTheCallerHaveTheirShareMeanwhile) {
  driver_.Learn(1, 10, 200, -200);
  ASSERT_TRUE(driver_.Push('A', {.network = 1, .window_frames = Windows(300)}).ok());
  EXPECT_FALSE(driver_.Push('B', {.window_frames = Windows(10), .deadline = At(245)}).ok());
  EXPECT_TRUE(driver_.Push('C', {.window_frames = Windows(10), .deadline = At(250)}).ok());
}

TEST_F(BatchAdmissionTest, ThePaceIsThatOfPreparationWhereThatTakesLonger) {
  ASSERT_TRUE(driver_.Reserve('A', {.window_frames = Windows(90)}).ok());
  for (int now = 0; now < 600; now += 200) {  // 10 frames in 200 ms, of which their batch takes 100.
    Batch batch;
    EXPECT_FALSE(driver_.queue().TakeBatch(At(now), false, &batch, driver_.dropped()));
    ASSERT_TRUE(driver_.Bring('A', 10, false, now + 100));
    ASSERT_TRUE(driver_.queue().TakeBatch(At(now + 100), false, &batch, driver_.dropped()));
    driver_.queue().FinishBatch(batch, At(now + 200), true);
  }
  driver_.queue().RemoveAll();
  EXPECT_EQ(RefusalOf(driver_.Push('B', {.window_frames = Windows(10), .deadline = At(740)}, 600)),
            Refusal::kDeadlineTooShort);
}

TEST_F(BatchAdmissionTest, TimeRefusesNobodyWhileNoPaceIsKnown) {
  QueueDriver driver(Options());
  ASSERT_TRUE(driver.Push('A', 10000).ok());
  EXPECT_TRUE(driver.Push('B', {.window_frames = Windows(20000), .deadline = At(1)}).ok());
}

TEST_F(BatchAdmissionTest, AnOldPaceIsTrustedLess) {
  QueueDriver driver(Options());
  driver.Learn(0, 1, 1000, -1000);  // The machine was busy otherwise.
  EXPECT_FALSE(driver.Push('A', {.window_frames = {1}, .deadline = At(1999 + 600)}, 1999).ok());
  EXPECT_TRUE(driver.Push('B', {.window_frames = {1}, .deadline = At(2000 + 600)}, 2000).ok());
}

TEST_F(BatchAdmissionTest, AReservationCountsBeforeItsWindowsCome) {
  ASSERT_TRUE(driver_.Reserve('A', {.window_frames = Windows(50), .deadline = At(1000)}).ok());
  EXPECT_EQ(driver_.queue().queued_frames(), 50);
  EXPECT_TRUE(driver_.queue().empty());
  EXPECT_EQ(driver_.queue().NextBatchTime(At(0), false), SteadyTime::InfiniteFuture());
  EXPECT_FALSE(driver_.Push('B', {.window_frames = Windows(60), .deadline = At(1200)}).ok());
  EXPECT_TRUE(driver_.Bring('A', 2, false));
  EXPECT_EQ(driver_.Take(), "A0 A1");
  EXPECT_EQ(driver_.Take(), "");
  EXPECT_EQ(driver_.queue().queued_frames(), 48);
  EXPECT_TRUE(driver_.Bring('A', 1, true)) << "it had fewer windows than it seemed";
  EXPECT_EQ(driver_.queue().queued_frames(), 1);
  EXPECT_EQ(driver_.Take(), "A2");
  EXPECT_EQ(driver_.queue().queued_frames(), 0);
  EXPECT_FALSE(driver_.Bring('A', 1, true)) << "it is done";
}

TEST_F(BatchAdmissionTest, ACallStandsByAllItsWorkThoughLittleIsPrepared) {
  ASSERT_TRUE(driver_.Reserve('A', {.window_frames = Windows(50)}).ok());
  ASSERT_TRUE(driver_.Bring('A', 5, false));
  ASSERT_TRUE(driver_.Push('B', 7).ok());
  EXPECT_EQ(driver_.Take(), "B0 B1 B2 B3 B4 B5 B6 A0 A1 A2");
}

TEST_F(BatchAdmissionTest, CreditBoundsWhatOfACallIsPrepared) {
  BatchQueueOptions options = Options(2);
  options.credit_frames = 4;
  options.max_queued_frames = 10;
  QueueDriver driver(options);
  ASSERT_TRUE(driver.Reserve('A', {.window_frames = Windows(100)}).ok());
  EXPECT_EQ(driver.queue().queued_frames(), 4) << "no more than this will wait";
  EXPECT_EQ(driver.queue().Credit(*driver.work('A')), 4);
  ASSERT_TRUE(driver.Bring('A', 4, false));
  EXPECT_EQ(driver.queue().Credit(*driver.work('A')), 0);
  EXPECT_EQ(driver.Take(), "A0 A1");
  EXPECT_EQ(driver.queue().Credit(*driver.work('A')), 2);
  ASSERT_TRUE(driver.Bring('A', 1, true));
  EXPECT_EQ(driver.queue().Credit(*driver.work('A')), 0) << "it has no more";
  EXPECT_TRUE(driver.Reserve('B', {.window_frames = Windows(100)}).ok());
  EXPECT_EQ(driver.queue().queued_frames(), 7);
  EXPECT_EQ(RefusalOf(driver.Reserve('C', {.window_frames = Windows(100)})), Refusal::kQueueFull);
}

TEST_F(BatchAdmissionTest, ACallOfWhichNothingHasComeIsDroppedSilently) {
  ASSERT_TRUE(driver_.Reserve('A', {.window_frames = Windows(2), .deadline = At(50)}).ok());
  ASSERT_TRUE(driver_.Reserve('B', {.window_frames = Windows(2), .deadline = At(50)}).ok());
  ASSERT_TRUE(driver_.Bring('B', 1, false));
  EXPECT_EQ(driver_.Take(50), "");
  EXPECT_EQ(driver_.Dropped(), "B expired");
  EXPECT_FALSE(driver_.Bring('A', 2, true));
  EXPECT_TRUE(absl::IsDeadlineExceeded(driver_.queue().Push(driver_.work('A'), 2, At(60), driver_.dropped())));

  ASSERT_TRUE(driver_.Reserve('C', {.window_frames = Windows(2)}).ok());
  driver_.work('C')->requests.resize(2);
  driver_.work('C')->cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(driver_.queue().Push(driver_.work('C'), 2, At(60), driver_.dropped())));
  ASSERT_TRUE(driver_.Reserve('D', {.window_frames = Windows(2)}).ok());
  EXPECT_TRUE(driver_.queue().RemoveAll().empty());
  EXPECT_EQ(driver_.queue().queued_frames(), 0);
}

TEST_F(BatchAdmissionTest, ACallWithoutAnEndCountsByTheWindowsThatWait) {
  ASSERT_TRUE(driver_.Reserve('A', {.window_frames = Windows(100)}, 0, true).ok());
  EXPECT_EQ(driver_.queue().queued_frames(), 0);
  ASSERT_TRUE(driver_.Bring('A', 3, false));
  EXPECT_EQ(driver_.queue().queued_frames(), 3);
  ASSERT_TRUE(driver_.Push('B', 4).ok());
  EXPECT_EQ(driver_.Take(), "A0 A1 A2 B0 B1 B2 B3");
  EXPECT_EQ(driver_.queue().queued_frames(), 0);
  EXPECT_TRUE(driver_.Bring('A', 97, false, 10)) << "it stays though nothing of it waits";
  ASSERT_TRUE(driver_.Push('C', 90, 20).ok());
  EXPECT_EQ(driver_.Take(20).substr(0, 2), "A3") << "due since 15 ms, it is passed by nobody who comes later";
  EXPECT_TRUE(driver_.Bring('A', 0, true, 30));
}

}  // namespace
}  // namespace hearwire
