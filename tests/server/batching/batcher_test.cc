#include "server/batching/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <ctime>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/batching/refusal.h"
#include "server/concurrency/steady_time.h"
#include "server/machine.h"
#include "tests/server/batching/batcher_fixture.h"

namespace hearwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using testing::UnorderedElementsAreArray;

TEST_F(BatcherTest, RowsComeBackToTheirOwners) {
  Start(2);
  std::vector<std::unique_ptr<TestCall>> calls;
  for (int i = 0; i < 50; ++i) {
    calls.push_back(std::make_unique<TestCall>(i % 2, 1 + i % 7, 1 + i % 5, static_cast<float>(i)));
    ASSERT_TRUE(batcher_->Submit(calls.back()->work()).ok());
  }
  for (const auto& call : calls) {
    EXPECT_TRUE(call->Wait().ok());
    EXPECT_TRUE(call->RowsAreRight());
  }
}

TEST_F(BatcherTest, AFullBatchDoesNotWaitForCompanyButOthersDo) {
  Start(2);
  batcher_->BeginPreparation();
  TestCall a(0, 2, 3, 1), b(0, 1, 5, 2);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  ASSERT_TRUE(batcher_->Submit(b.work()).ok());
  EXPECT_EQ(a.done_count(), 0);
  TestCall full(1, 4, 16, 4);
  ASSERT_TRUE(batcher_->Submit(full.work()).ok());
  EXPECT_TRUE(full.Wait().ok());
  EXPECT_EQ(a.done_count(), 0);
  batcher_->EndPreparation();
  EXPECT_TRUE(a.Wait().ok());
  EXPECT_TRUE(b.Wait().ok());
  EXPECT_TRUE(a.RowsAreRight() && b.RowsAreRight() && full.RowsAreRight());
}

TEST_F(BatcherTest, CallsThatAreExpectedShareABatch) {
  Start(1);
  batcher_->BeginPreparation();
  batcher_->BeginPreparation();
  TestCall a(0, 2, 3, 1), b(0, 1, 5, 2);
  a.work()->announced = b.work()->announced = true;
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  ASSERT_TRUE(batcher_->Submit(b.work()).ok());
  EXPECT_TRUE(a.Wait().ok());
  EXPECT_TRUE(b.Wait().ok());
  EXPECT_THAT(observer_.batches(), ElementsAre(RecordingObserver::BatchEvent{0, 3, 2, 11}));
}

TEST_F(BatcherTest, WithoutCompanyAWindowRunsAtOnce) {
  Start(1);
  TestCall a(0, 1, 1);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  EXPECT_TRUE(a.Wait().ok());
}

TEST_F(BatcherTest, CompanyThatDoesNotComeIsWaitedForNoLongerThanTheLimit) {
  options_.queue.max_queue_delay = absl::Milliseconds(30);
  Start(3);
  batcher_->BeginPreparation();
  for (int i = 0; i < 3; ++i) {
    TestCall a(0, 1, 1);
    ASSERT_TRUE(batcher_->Submit(a.work()).ok());
    EXPECT_TRUE(a.Wait().ok());
    EXPECT_GE(a.times().queued, absl::Milliseconds(30));
  }
}

TEST_F(BatcherTest, ALongCallRunsOnAllWorkersAtOnce) {
  gated_ = true;
  options_.queue.max_batch_frames = 4096;
  Start(4);
  TestCall a(0, 64, 16);
  batcher_->BeginPreparation();
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  batcher_->EndPreparation();
  gate_.WaitForArrivals(4);
  gate_.Open();
  EXPECT_TRUE(a.Wait().ok());
  EXPECT_TRUE(a.RowsAreRight());
  for (const FakeBatch& batch : backend_.batches()) EXPECT_EQ(batch.windows, 16);
}

// Whoever brings the call wakes two workers; each that takes a batch wakes the next.
TEST_F(BatcherTest, WorkersThatSleepWakeEachOtherForALongCall) {
  gated_ = true;
  options_.queue.max_batch_frames = 4096;
  Start(6);
  absl::SleepFor(absl::Milliseconds(50));  // Until they sleep: one that does not needs no waking.
  TestCall a(0, 96, 16);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  gate_.WaitForArrivals(6);
  gate_.Open();
  EXPECT_TRUE(a.Wait().ok());
  EXPECT_TRUE(a.RowsAreRight());
}

TEST_F(BatcherTest, ABatchThatFailedSaysNothingOfThePace) {
  Start(1);
  TestCall bad(0, 1, 1, 1), good(0, 1, 1, 2);
  FailWindow(bad, 0, absl::InternalError("bad window"));
  ASSERT_TRUE(batcher_->Submit(bad.work()).ok());
  EXPECT_FALSE(bad.Wait().ok());
  batcher_->BeginPreparation();  // So that the next one waits.
  ASSERT_TRUE(batcher_->Submit(good.work()).ok());
  EXPECT_EQ(batcher_->RetryDelay(), absl::Seconds(1)) << "as long as none has ended well";
  batcher_->EndPreparation();
  EXPECT_TRUE(good.Wait().ok());
  batcher_->BeginPreparation();
  ASSERT_TRUE(batcher_->Submit(first_.work()).ok());
  EXPECT_LT(batcher_->RetryDelay(), absl::Seconds(1));
  batcher_->EndPreparation();
  EXPECT_TRUE(first_.Wait().ok());
}

TEST_F(BatcherTest, AShortCallRunsBesideALongOne) {
  StartWithABusyWorker();
  TestCall a(0, 1000, 1, 1), b(0, 1, 1, 2);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  ASSERT_TRUE(batcher_->Submit(b.work()).ok());
  gate_.Release(2);
  EXPECT_TRUE(b.Wait().ok());
  EXPECT_EQ(a.done_count(), 0);
  gate_.Open();
  EXPECT_TRUE(a.Wait().ok());
  EXPECT_TRUE(a.RowsAreRight() && b.RowsAreRight());
}

TEST_F(BatcherTest, DoneIsNotCalledInsideSubmitAndMaySubmit) {
  Start(1);
  TestCall again(0, 1, 1);
  CallWork* again_work = again.work().get();
  auto work = std::make_shared<CallWork>();
  TestCall frames(0, 1, 1);
  work->network = 0;
  work->requests = frames.work()->requests;
  std::atomic<std::thread::id> done_thread;
  work->done = [&, again_call = again.work()](const absl::Status&, const BatchTimes&) {
    done_thread = std::this_thread::get_id();
    batcher_->BeginPreparation();
    EXPECT_TRUE(batcher_->Submit(again_call).ok());
    batcher_->EndPreparation();
    EXPECT_GE(batcher_->RetryDelay(), absl::ZeroDuration());
  };
  ASSERT_TRUE(batcher_->Submit(work).ok());
  EXPECT_TRUE(again.Wait().ok());
  EXPECT_NE(done_thread.load(), std::thread::id());
  EXPECT_NE(done_thread.load(), std::this_thread::get_id());
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_EQ(work->done, nullptr);  // With it went what it owned.
  EXPECT_EQ(again_work->done, nullptr);
}

TEST_F(BatcherTest, ARefusedCallIsNeverDone) {
  options_.queue.max_queued_frames = 10;
  StartWithABusyWorker();
  TestCall a(0, 1, 6), b(0, 1, 6), c(0, 1, 11);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  EXPECT_EQ(RefusalOf(batcher_->Submit(b.work())), Refusal::kQueueFull);
  EXPECT_EQ(RefusalOf(batcher_->Submit(c.work())), Refusal::kCallTooLarge);
  EXPECT_EQ(observer_.pending_frames(), 6);
  gate_.Open();
  EXPECT_TRUE(a.Wait().ok());
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_EQ(b.done_count() + c.done_count(), 0);
  EXPECT_TRUE(b.work()->done != nullptr);
  EXPECT_EQ(observer_.pending_frames(), 0);
}

TEST_F(BatcherTest, DropsExpiredAndCancelledCallsBeforeCompute) {
  StartWithABusyWorker();
  TestCall expired(0, 3, 1, 1), cancelled(0, 3, 1, 2), good(0, 3, 1, 3);
  expired.work()->deadline = SteadyTime::Now() + absl::Milliseconds(200);
  for (TestCall* call : {&expired, &cancelled, &good}) ASSERT_TRUE(batcher_->Submit(call->work()).ok());
  cancelled.work()->cancelled = true;
  absl::SleepFor(expired.work()->deadline - SteadyTime::Now() +
                 absl::Milliseconds(1));  // Time itself is the condition.
  gate_.Open();
  EXPECT_TRUE(absl::IsDeadlineExceeded(expired.Wait()));
  EXPECT_TRUE(absl::IsCancelled(cancelled.Wait()));
  EXPECT_TRUE(good.Wait().ok());
  EXPECT_TRUE(good.RowsAreRight());
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_THAT(observer_.dropped(),
              UnorderedElementsAre(absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kCancelled));
  int windows = 0;
  for (const FakeBatch& batch : backend_.batches()) windows += batch.windows;
  EXPECT_EQ(windows, 1 + 3);
  EXPECT_GT(expired.times().queued, absl::Milliseconds(100));
}

TEST_F(BatcherTest, TheRestOfACallCancelledHalfWayIsDropped) {
  gated_ = true;
  Start(2);
  TestCall a(0, 1000, 1);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  gate_.WaitForArrivals(2);
  a.work()->cancelled = true;
  gate_.Release(1);
  // The first worker finds it cancelled, but the other still writes its rows.
  TestCall b(0, 1, 1, 2);
  ASSERT_TRUE(batcher_->Submit(b.work()).ok());
  gate_.WaitForArrivals(3);
  EXPECT_EQ(a.done_count(), 0);
  gate_.Open();
  EXPECT_TRUE(absl::IsCancelled(a.Wait()));
  EXPECT_TRUE(b.Wait().ok());
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_EQ(a.done_count(), 1);
  EXPECT_EQ(backend_.batches().size(), 3u);
  EXPECT_THAT(observer_.dropped(), ElementsAre(absl::StatusCode::kCancelled));
}

TEST_F(BatcherTest, ACallThatFailsFailsAlone) {
  StartWithABusyWorker();
  TestCall a(0, 5, 1, 1), bad(0, 500, 1, 2), c(0, 5, 1, 3);
  FailWindow(bad, 3, absl::InternalError("bad window"));
  for (TestCall* call : {&a, &bad, &c}) ASSERT_TRUE(batcher_->Submit(call->work()).ok());
  gate_.Open();
  EXPECT_EQ(bad.Wait(), absl::InternalError("bad window"));
  EXPECT_TRUE(a.Wait().ok());
  EXPECT_TRUE(c.Wait().ok());
  EXPECT_TRUE(a.RowsAreRight() && c.RowsAreRight());
  TestCall next(0, 1, 1);
  ASSERT_TRUE(batcher_->Submit(next.work()).ok());
  EXPECT_TRUE(next.Wait().ok());
  EXPECT_EQ(bad.done_count(), 1);
  // The batch that failed, and `next`: the 400 and more windows of the bad call that still waited never ran.
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_EQ(observer_.batches().size(), 3u);
}

TEST_F(BatcherTest, TellsWhereACallsTimeWent) {
  StartWithABusyWorker();
  TestCall a(0, 100, 1);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  const SteadyTime start = SteadyTime::Now();
  absl::SleepFor(absl::Milliseconds(20));
  gate_.Release(1);
  gate_.WaitForArrivals(2);
  absl::SleepFor(absl::Milliseconds(20));
  gate_.Open();
  EXPECT_TRUE(a.Wait().ok());
  const absl::Duration total = SteadyTime::Now() - start + absl::Milliseconds(5);
  EXPECT_GE(a.times().queued, absl::Milliseconds(40));  // Its last windows waited for its first ones.
  EXPECT_GE(a.times().inference, absl::Milliseconds(20));
  EXPECT_LE(a.times().queued + a.times().inference, 2 * total);
}

TEST_F(BatcherTest, IdleWorkersUseNoComputingTime) {
  options_.queue.max_queue_delay = absl::Hours(1);
  Start(4);
  batcher_->BeginPreparation();
  TestCall a(0, 1, 1);
  ASSERT_TRUE(batcher_->Submit(a.work()).ok());
  const std::clock_t before = std::clock();
  absl::SleepFor(absl::Milliseconds(200));
  const double used = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(used, 0.05);
  batcher_->EndPreparation();
  EXPECT_TRUE(a.Wait().ok());
}

TEST_F(BatcherTest, FailsToStartWithWhatAWorkerSaid) {
  backend_.set_before_new_embedder(
      [](int number) { return number == 2 ? absl::ResourceExhaustedError("no memory") : absl::OkStatus(); });
  options_.workers = 4;
  EXPECT_EQ(Batcher::Create(options_, &backend_, &observer_).status(), absl::ResourceExhaustedError("no memory"));
}

TEST_F(BatcherTest, PinsEachWorkerToItsCpu) {
  options_.worker_cpus = ReadAffinity();
  Mutex mu;
  std::vector<int> pinned;
  backend_.set_before_new_embedder([&](int) {
    const std::vector<int> own = ReadAffinity();
    EXPECT_EQ(own.size(), 1u);
    MutexLock lock(&mu);
    pinned.insert(pinned.end(), own.begin(), own.end());
    return absl::OkStatus();
  });
  Start(static_cast<int>(options_.worker_cpus.size()));
  EXPECT_THAT(pinned, UnorderedElementsAreArray(options_.worker_cpus));
}

TEST_F(BatcherTest, RunsOnWhenItsCpuIsGone) {
  options_.worker_cpus = {1 << 14};
  Start(1);
  TestCall call(0, 1, 1, 1);
  ASSERT_TRUE(batcher_->Submit(call.work()).ok());
  EXPECT_EQ(call.Wait(), absl::OkStatus());
}

TEST_F(BatcherTest, NamesTheOptionThatIsWrong) {
  const auto message = [&](auto change) {
    BatcherOptions options;
    change(options);
    const absl::Status status = Batcher::Create(options, &backend_, &observer_).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    return std::string(status.message());
  };
  EXPECT_THAT(message([](auto& options) { options.workers = 0; }), HasSubstr("workers is 0"));
  EXPECT_THAT(message([](auto& options) { options.queue.max_batch_frames = -5; }), HasSubstr("max_batch_frames is -5"));
  EXPECT_THAT(message([](auto& options) { options.queue.max_queued_frames = 0; }), HasSubstr("max_queued_frames"));
  EXPECT_THAT(message([](auto& options) { options.queue.min_shared_frames = 0; }), HasSubstr("min_shared_frames"));
  EXPECT_THAT(message([](auto& options) { options.queue.max_queue_delay = -absl::Seconds(1); }),
              HasSubstr("max_queue_delay is -1s"));
  EXPECT_THAT(message([](auto& options) { options.queue.max_queue_time = -absl::Seconds(1); }),
              HasSubstr("max_queue_time is -1s"));
  EXPECT_THAT(message([](auto& options) { options.queue.credit_frames = 0; }), HasSubstr("credit_frames is 0"));
  EXPECT_THAT(message([](auto& options) { options.answer_threads = -1; }), HasSubstr("answer_threads is -1"));
  EXPECT_THAT(message([](auto& options) {
                options.worker_cpus = {0, 1};
              }),
              HasSubstr("worker_cpus has 2 CPUs for 1 workers"));
}

}  // namespace
}  // namespace hearwire
