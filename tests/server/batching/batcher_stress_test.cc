// Many threads at once; most telling under ThreadSanitizer.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/batching/batcher.h"
#include "server/batching/refusal.h"
#include "server/concurrency/steady_time.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/server/batching/recording_observer.h"
#include "tests/server/batching/test_call.h"

namespace hearwire {
namespace {

constexpr int kThreads = 6;
constexpr int kNetworks = 3;
// Frames of such calls hold a value that the embedder refuses.
constexpr float kBadSeed = 1e6F;

struct Outcomes {
  std::atomic<int> good = 0, bad = 0, cancelled = 0, expired = 0, refused = 0, lost = 0;
};

// The parameter: threads that answer beside the workers.
class BatcherStressTest : public testing::TestWithParam<int> {
 protected:
  BatcherStressTest() {
    for (int i = 0; i < kNetworks; ++i) backend_.AddNetwork(nullptr, {}).IgnoreError();
    backend_.set_before_embed([this](int, absl::Span<const WindowRequest> batch) {
      if (lost_) return absl::UnavailableError("lost");
      for (const WindowRequest& request : batch) {
        if (request.window.runs[1].frames[0] >= kBadSeed) return absl::InternalError("bad");
      }
      return absl::OkStatus();
    });
    BatcherOptions options;
    options.workers = 4;
    options.answer_threads = GetParam();
    options.queue.max_batch_frames = 128;
    options.queue.max_queued_frames = 3000;
    options.queue.min_shared_frames = 16;
    options.queue.max_queue_delay = absl::Microseconds(300);
    batcher_ = *Batcher::Create(options, &backend_, &observer_);
  }

  // A caller that submits `rounds` times a few calls, cancels some, and checks every answer.
  void Call(unsigned seed, int rounds) {
    std::mt19937 random(seed);
    for (int round = 0; round < rounds; ++round) {
      std::vector<std::unique_ptr<TestCall>> taken;
      const bool long_call = random() % 20 == 0;
      for (int i = 0; i < 4; ++i) {
        const bool bad = random() % 10 == 0;
        auto call = std::make_unique<TestCall>(
            static_cast<int>(random() % kNetworks), static_cast<int>(1 + random() % (long_call ? 400 : 8)),
            static_cast<int>(1 + random() % 4), bad ? kBadSeed : static_cast<float>(random() % 1000));
        const unsigned dice = random() % 10;
        call->work()->caller = static_cast<int>(random() % 3);
        if (dice == 0) call->work()->deadline = SteadyTime::Now() + absl::Microseconds(random() % 500);
        batcher_->BeginPreparation();
        const bool announced = call->work()->announced = random() % 2 == 0;
        const absl::Status status = batcher_->Submit(call->work());
        if (!announced) batcher_->EndPreparation();
        if (!status.ok()) {
          ASSERT_TRUE(RefusalOf(status) == Refusal::kQueueFull || RefusalOf(status) == Refusal::kDeviceLost ||
                      RefusalOf(status) == Refusal::kDeadlineTooShort || absl::IsDeadlineExceeded(status) ||
                      status.message() == "ending")
              << status;
          EXPECT_GE(batcher_->RetryDelay(), absl::Milliseconds(10));
          ++outcomes_.refused;
          continue;
        }
        if (dice == 1) call->work()->cancelled = true;
        taken.push_back(std::move(call));
      }
      for (const auto& call : taken) Check(call.get());
    }
  }

  void Check(TestCall* call) {
    const absl::Status status = call->Wait();
    switch (status.code()) {
      case absl::StatusCode::kOk:
        EXPECT_TRUE(call->RowsAreRight());
        ++outcomes_.good;
        break;
      case absl::StatusCode::kInternal:
        EXPECT_EQ(call->work()->requests[0].window.runs[1].frames[0], kBadSeed);
        ++outcomes_.bad;
        break;
      case absl::StatusCode::kCancelled:
        EXPECT_TRUE(call->work()->cancelled);
        ++outcomes_.cancelled;
        break;
      case absl::StatusCode::kDeadlineExceeded:
        EXPECT_LE(call->work()->deadline, SteadyTime::Now());
        ++outcomes_.expired;
        break;
      default:
        EXPECT_TRUE(absl::IsUnavailable(status)) << status;
        ++outcomes_.lost;
    }
    EXPECT_EQ(call->done_count(), 1);
  }

  // Runs the callers, and `disturb` when they have begun.
  template <typename Disturb>
  void RunCallers(int rounds, Disturb disturb) {
    std::vector<std::thread> callers;
    for (unsigned i = 0; i < kThreads; ++i) callers.emplace_back([this, i, rounds] { Call(i + 1, rounds); });
    disturb();
    for (std::thread& caller : callers) caller.join();
  }

  void WaitForGoodCalls(int count) {
    while (outcomes_.good < count) absl::SleepFor(absl::Milliseconds(1));
  }

  FakeBackend backend_;
  RecordingObserver observer_;
  std::atomic<bool> lost_ = false;
  Outcomes outcomes_;
  std::unique_ptr<Batcher> batcher_;
};

INSTANTIATE_TEST_SUITE_P(AnswerThreads, BatcherStressTest, testing::Values(0, 2));

TEST_P(BatcherStressTest, EveryCallIsAnsweredOnceWithItsOwnRows) {
  RunCallers(400, [] {});
  EXPECT_GT(outcomes_.good, 1000);
  EXPECT_GT(outcomes_.bad, 10);
  EXPECT_EQ(outcomes_.lost, 0);
  batcher_->Shutdown(absl::UnavailableError("ending"));
  EXPECT_EQ(observer_.pending_frames(), 0);
  EXPECT_EQ(static_cast<int>(observer_.dropped().size()), outcomes_.cancelled + outcomes_.expired);
}

TEST_P(BatcherStressTest, ShutdownInTheMiddleAnswersEveryCall) {
  RunCallers(400, [this] {
    WaitForGoodCalls(300);
    std::thread other([this] { batcher_->Shutdown(absl::UnavailableError("ending")); });
    batcher_->Shutdown(absl::UnavailableError("ending"));
    other.join();
  });
  EXPECT_EQ(observer_.pending_frames(), 0);
}

TEST_P(BatcherStressTest, ALostDeviceInTheMiddleAnswersEveryCall) {
  RunCallers(400, [this] {
    WaitForGoodCalls(300);
    lost_ = true;
  });
  batcher_->Shutdown(absl::UnavailableError("ending"));
  EXPECT_EQ(observer_.losses().size(), 1u);
  EXPECT_EQ(observer_.pending_frames(), 0);
}

}  // namespace
}  // namespace hearwire
