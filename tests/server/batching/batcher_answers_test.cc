// On which threads a batcher answers, and what they hold up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/server/batching/batcher_fixture.h"

namespace hearwire {
namespace {

class BatcherAnswersTest : public BatcherTest {
 protected:
  // A call of one window of a frame, whose answer runs `then` before it is known.
  std::unique_ptr<TestCall> Call(std::function<void()> then) {
    auto call = std::make_unique<TestCall>(0, 1, 1);
    call->work()->done = [then = std::move(then), done = std::move(call->work()->done)](absl::Status status,
                                                                                        const BatchTimes& times) {
      then();
      done(std::move(status), times);
    };
    return call;
  }

  Gate answers_;
};

TEST_F(BatcherAnswersTest, TheNextBatchRunsBesideAnAnswer) {
  options_.answer_threads = 1;
  gated_ = true;
  Start(1);
  const auto first = Call([&] { answers_.Pass(); });
  ASSERT_TRUE(batcher_->Submit(first->work()).ok());
  gate_.Release(1);
  answers_.WaitForArrivals(1);
  TestCall next(0, 1, 1);
  ASSERT_TRUE(batcher_->Submit(next.work()).ok());
  gate_.WaitForArrivals(2);
  EXPECT_EQ(first->done_count(), 0);
  gate_.Open();
  answers_.Open();
  EXPECT_TRUE(first->Wait().ok());
  EXPECT_TRUE(next.Wait().ok());
  EXPECT_TRUE(first->RowsAreRight() && next.RowsAreRight());
}

TEST_F(BatcherAnswersTest, ASecondBatchIsUnderWayWhileOneRuns) {
  options_.answer_threads = 1;
  options_.queue.min_shared_frames = options_.queue.max_batch_frames;
  gated_ = true;
  Start(2);
  TestCall first(0, 5, 1, 1), second(0, 7, 1, 2), third(0, 3, 1, 3), fourth(0, 2, 1, 4);
  for (TestCall* call : {&first, &second}) {
    ASSERT_TRUE(batcher_->Submit(call->work()).ok());
    gate_.WaitForArrivals(call == &first ? 1 : 2);
  }
  for (TestCall* call : {&third, &fourth}) ASSERT_TRUE(batcher_->Submit(call->work()).ok());
  gate_.Open();
  for (TestCall* call : {&first, &second, &third, &fourth}) EXPECT_TRUE(call->Wait().ok());
  batcher_->Shutdown(absl::UnavailableError("end"));
  std::vector<int> windows;
  for (const FakeBatch& batch : backend_.batches()) windows.push_back(batch.windows);
  EXPECT_THAT(windows, testing::ElementsAre(5, 7, 5)) << "what waited meanwhile is one batch";
}

TEST_F(BatcherAnswersTest, AnswersOfABatchRunBesideEachOther) {
  options_.answer_threads = 2;
  StartWithABusyWorker();
  const auto a = Call([&] { answers_.Pass(); });
  const auto b = Call([&] { answers_.Pass(); });
  for (TestCall* call : {a.get(), b.get()}) ASSERT_TRUE(batcher_->Submit(call->work()).ok());
  gate_.Open();
  answers_.WaitForArrivals(2);
  answers_.Open();
  EXPECT_TRUE(a->Wait().ok());
  EXPECT_TRUE(b->Wait().ok());
}

TEST_F(BatcherAnswersTest, TheWorkerAnswersWhereNobodyElseDoes) {
  for (const int threads : {0, 1}) {
    std::atomic<std::thread::id> worker, answering;
    FakeBackend backend;
    ASSERT_TRUE(backend.AddNetwork(nullptr, {}).ok());
    backend.set_before_embed([&](int, absl::Span<const WindowRequest>) {
      worker = std::this_thread::get_id();
      return absl::OkStatus();
    });
    BatcherOptions options;
    options.answer_threads = threads;
    const auto batcher = Batcher::Create(options, &backend, &observer_).value();
    const auto call = Call([&] { answering = std::this_thread::get_id(); });
    ASSERT_TRUE(batcher->Submit(call->work()).ok());
    EXPECT_TRUE(call->Wait().ok());
    EXPECT_EQ(worker.load() == answering.load(), threads == 0);
  }
}

TEST_F(BatcherAnswersTest, ShutdownReturnsWhenAllAreAnswered) {
  options_.answer_threads = 2;
  options_.queue.max_batch_frames = 8;
  StartWithABusyWorker();
  std::vector<std::unique_ptr<TestCall>> calls;
  for (int i = 0; i < 20; ++i) {
    calls.push_back(Call([] { absl::SleepFor(absl::Milliseconds(2)); }));
    ASSERT_TRUE(batcher_->Submit(calls.back()->work()).ok());
  }
  gate_.Open();
  calls[8]->Wait().IgnoreError();
  batcher_->Shutdown(absl::UnavailableError("end"));
  for (const auto& call : calls) {
    EXPECT_EQ(call->done_count(), 1);
    EXPECT_EQ(call->work()->done, nullptr) << "with it went what it owned";
  }
}

TEST_F(BatcherAnswersTest, AnAnswerMaySubmit) {
  options_.answer_threads = 1;
  Start(1);
  TestCall again(0, 1, 1);
  const auto call = Call([&] { EXPECT_TRUE(batcher_->Submit(again.work()).ok()); });
  ASSERT_TRUE(batcher_->Submit(call->work()).ok());
  EXPECT_TRUE(again.Wait().ok());
}

TEST_F(BatcherAnswersTest, TellsOfDroppedCallsToo) {
  options_.answer_threads = 1;
  StartWithABusyWorker();
  TestCall cancelled(0, 3, 1, 2);
  ASSERT_TRUE(batcher_->Submit(cancelled.work()).ok());
  cancelled.work()->cancelled = true;
  gate_.Open();
  EXPECT_TRUE(absl::IsCancelled(cancelled.Wait()));
  batcher_->Shutdown(absl::UnavailableError("end"));
  EXPECT_THAT(observer_.dropped(), testing::ElementsAre(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace hearwire
