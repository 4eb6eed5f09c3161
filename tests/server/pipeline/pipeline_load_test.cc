// The pipeline when calls meet: batches, limits, callers that leave.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/concurrency/steady_time.h"
#include "server/pipeline/pipeline.h"
#include "tests/server/pipeline/pipeline_harness.h"

namespace hearwire {
namespace {

// Frames of half a second's scene: (15999 samples after pre-emphasis) / 320 + 1.
constexpr int64_t kHalfASecond = 50;

// A pipeline whose one worker waits at `gate` before each batch.
class GatedPipelineTest : public ::testing::Test {
 protected:
  ~GatedPipelineTest() override { gate_.Open(); }

  PipelineHarness::Options Gated(PipelineOptions pipeline = {}, BatcherOptions batcher = {}) {
    return {.pipeline = pipeline, .batcher = batcher, .before_embed = [this](int, absl::Span<const WindowRequest>) {
              gate_.Pass();
              return absl::OkStatus();
            }};
  }
  // Occupies the worker with a call; it is answered when the gate opens.
  std::future<Answer> Occupy(PipelineHarness* harness) {
    std::future<Answer> answer = harness->Start(harness->Request({Tone(0.5)}));
    gate_.WaitForArrivals(1);
    return answer;
  }

  Gate gate_;
};

TEST_F(GatedPipelineTest, PutsTheWindowsOfManyCallsIntoOneBatch) {
  // Whatever is being prepared is waited for.
  PipelineHarness harness(Gated({}, {.queue = {.max_queue_delay = absl::Seconds(60)}}));
  std::future<Answer> first = Occupy(&harness);
  std::vector<std::future<Answer>> others;
  for (int i = 0; i < 5; ++i) others.push_back(harness.Start(harness.Request({Tone(0.5, 300 + 50 * i)})));
  harness.metrics.WaitForPendingFrames(5 * kHalfASecond);
  gate_.Open();
  EXPECT_TRUE(first.get().ok());
  for (auto& other : others) EXPECT_TRUE(other.get().ok());
  EXPECT_EQ(harness.metrics.most_calls_in_a_batch(), 5);
  EXPECT_EQ(harness.metrics.count("rows"), 6);
}

TEST_F(GatedPipelineTest, RefusesWhatTheQueueCannotTakeNowAndSaysWhenToComeBack) {
  PipelineHarness harness(Gated({}, {.queue = {.max_queued_frames = 250}}));
  std::future<Answer> running = Occupy(&harness);
  std::future<Answer> queued = harness.Start(harness.Request({Tone(2)}));
  // Of two calls of 200 frames, one waits; the other, whichever it is, is refused.
  std::future<Answer> other = harness.Start(harness.Request({Tone(2)}));
  while (queued.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready &&
         other.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
  }
  if (queued.wait_for(std::chrono::seconds(0)) == std::future_status::ready) std::swap(queued, other);
  const Answer refused = other.get();
  ASSERT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.reason(), reason::kQueueFull);
  ASSERT_TRUE(refused.error().retry_after);
  EXPECT_GE(*refused.error().retry_after, absl::Milliseconds(10));
  EXPECT_FALSE(refused.error().never_retry);
  EXPECT_EQ(harness.metrics.count("rejected QUEUE_FULL"), 1);
  gate_.Open();
  EXPECT_TRUE(running.get().ok());
  EXPECT_TRUE(queued.get().ok());
}

TEST_F(GatedPipelineTest, RefusesMoreCallsThanItMayHaveInHand) {
  PipelineHarness harness(Gated({.max_calls = 1}));
  std::future<Answer> running = Occupy(&harness);
  const Answer refused = harness.Run(harness.Request({Tone(0.5)}));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.reason(), reason::kTooManyCalls);
  EXPECT_TRUE(refused.error().retry_after.has_value());
  gate_.Open();
  EXPECT_TRUE(running.get().ok());
}

TEST_F(GatedPipelineTest, RefusesBytesBeyondWhatCallsMayHold) {
  // Half a second: 64000 bytes of samples, 51 frames of 512 bytes, a row.
  PipelineHarness harness(Gated({.max_bytes_in_flight = 160'000}));
  std::future<Answer> running = Occupy(&harness);
  const Answer at_once = harness.Run(harness.Request({Tone(1)}));
  EXPECT_EQ(at_once.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(at_once.reason(), reason::kMemoryFull);
  CallRequest small_request = harness.Request({Tone(0.5)});
  small_request.request_bytes = 50'000;  // Fits; its samples do not.
  const Answer later = harness.Run(std::move(small_request));
  EXPECT_EQ(later.reason(), reason::kMemoryFull);
  EXPECT_TRUE(later.error().retry_after.has_value());
  gate_.Open();
  EXPECT_TRUE(running.get().ok());
}

TEST_F(GatedPipelineTest, CountsWhatAClipHoldsWhileItIsPrepared) {
  // 2 MiB, whatever its length.
  PipelineHarness harness(Gated({.max_bytes_in_flight = 2'000'000}));
  std::future<Answer> running = Occupy(&harness);
  const Answer refused = harness.Run(harness.Request({Tone(0.5)}));
  EXPECT_EQ(refused.reason(), reason::kMemoryFull);
  EXPECT_TRUE(refused.error().retry_after.has_value());
  EXPECT_EQ(refused.report.audio, absl::ZeroDuration());
  EXPECT_EQ(harness.metrics.count("rejected MEMORY_FULL"), 1);
  gate_.Open();
  EXPECT_TRUE(running.get().ok());
  EXPECT_TRUE(harness.Run(harness.Request({Tone(4)})).ok()) << "alone, a call is taken whatever it holds";
}

TEST_F(GatedPipelineTest, GivesBackWhatAClipHeldWhenItIsPrepared) {
  // There is room for the clip of one at a time.
  PipelineHarness harness(Gated({.max_bytes_in_flight = 3'000'000}));
  std::future<Answer> running = Occupy(&harness);
  std::vector<std::future<Answer>> waiting;
  for (int i = 1; i <= 4; ++i) {
    waiting.push_back(harness.Start(harness.Request({Tone(0.5)})));
    harness.metrics.WaitForPendingFrames(i * kHalfASecond);
  }
  gate_.Open();
  EXPECT_TRUE(running.get().ok());
  for (std::future<Answer>& answer : waiting) EXPECT_TRUE(answer.get().ok());
}

TEST_F(GatedPipelineTest, PreparesOfALongClipNoMoreThanTheNextBatchesNeed) {
  PipelineHarness harness(Gated({}, {.queue = {.max_batch_frames = 400, .credit_frames = 800}}));
  // 1201 windows of 16 frames; the worker holds one batch.
  std::future<Answer> answer = harness.Start(harness.Request({Tone(60)}, LaneKind::kTimestamps));
  gate_.WaitForArrivals(1);
  absl::SleepFor(absl::Milliseconds(100));  // Enough to prepare all of it.
  EXPECT_LE(harness.metrics.pending_frames(), 800 + 400) << "a piece is half the credit at most";
  gate_.Open();
  const Answer rows = answer.get();
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows.result().rows_per_clip.at(0), 1201);
}

TEST_F(GatedPipelineTest, GivesUpALongCallWhilePreparationPauses) {
  PipelineHarness harness(Gated({}, {.queue = {.max_batch_frames = 400, .credit_frames = 800}}));
  CallRequest request = harness.Request({Tone(60)}, LaneKind::kTimestamps);
  const std::shared_ptr<CallWork> work = request.lanes[0].work;
  std::future<Answer> answer = harness.Start(std::move(request));
  gate_.WaitForArrivals(1);
  work->cancelled.store(true);
  gate_.Open();
  EXPECT_EQ(answer.get().code(), absl::StatusCode::kCancelled);
  EXPECT_LT(harness.fake.batches().size(), 40u);
  EXPECT_TRUE(harness.Run(harness.Request({Tone(1)})).ok());
}

TEST_F(GatedPipelineTest, GivesUpACallWhoseCallerHasGoneWhileItWaits) {
  PipelineHarness harness(Gated());
  std::future<Answer> running = Occupy(&harness);
  CallRequest request = harness.Request({Tone(0.5)});
  const std::shared_ptr<CallWork> work = request.lanes[0].work;
  std::future<Answer> waiting = harness.Start(std::move(request));
  harness.metrics.WaitForPendingFrames(kHalfASecond);
  work->cancelled.store(true);
  gate_.Open();
  EXPECT_EQ(waiting.get().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(running.get().ok());
  EXPECT_EQ(harness.metrics.count("cancelled queue"), 1);
  EXPECT_EQ(harness.metrics.count("cancelled decode"), 0);
  EXPECT_EQ(harness.fake.batches().size(), 1u);
}

TEST_F(GatedPipelineTest, GivesUpACallWhoseCallerLeftWhileItRan) {
  PipelineHarness harness(Gated());
  CallRequest request = harness.Request({Tone(0.5)});
  const std::shared_ptr<CallWork> work = request.lanes[0].work;
  std::future<Answer> running = harness.Start(std::move(request));
  gate_.WaitForArrivals(1);
  work->cancelled.store(true);
  gate_.Open();
  EXPECT_EQ(running.get().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(harness.metrics.count("cancelled inference"), 1);
}

TEST_F(GatedPipelineTest, AnswersWhatTheBatcherHasNotTakenWhenItShutsDown) {
  PipelineHarness harness(Gated());
  std::future<Answer> running = Occupy(&harness);
  harness.pipeline->BeginShutdown();
  const Answer refused = harness.Run(harness.Request({Tone(0.5)}));
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(refused.reason(), reason::kShuttingDown);
  gate_.Open();
  EXPECT_TRUE(running.get().ok()) << "what runs is finished";
}

TEST(PipelineTest, DecodesNothingForACallThatIsTooLate) {
  PipelineHarness harness;
  CallRequest request = harness.Request({Tone(0.5)});
  request.deadline = SteadyTime::Now() - absl::Milliseconds(1);
  const Answer answer = harness.Run(std::move(request));
  EXPECT_EQ(answer.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(answer.report.audio, absl::ZeroDuration());
  EXPECT_EQ(harness.metrics.count("cancelled decode"), 1);
}

TEST(PipelineTest, DecodesNothingForACallerWhoHasGone) {
  PipelineHarness harness;
  CallRequest request = harness.Request({Tone(0.5)});
  request.lanes[0].work->cancelled.store(true);
  const Answer answer = harness.Run(std::move(request));
  EXPECT_EQ(answer.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(answer.report.audio, absl::ZeroDuration());
  EXPECT_EQ(harness.metrics.count("cancelled decode"), 1);
}

TEST(PipelineTest, GivesBackAllItTookWithEveryCall) {
  // A call fits only when it is alone.
  PipelineHarness harness({.pipeline = {.max_calls = 1, .max_bytes_in_flight = 1}});
  std::vector<float> bad = Tone(0.2);
  bad.resize(100);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(harness.Run(harness.Request({Tone(0.2)})).code(), absl::StatusCode::kOk);
    EXPECT_EQ(harness.Run(harness.Request({bad})).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(PipelineTest, CountsAReplyUntilItHasLeft) {
  PipelineHarness harness({.pipeline = {.max_calls = 1, .max_bytes_in_flight = 200'000}});
  Held held;
  CallRequest unread = harness.Request({Tone(0.5)});
  unread.reply.fixed = 30'000;
  ASSERT_TRUE(harness.Start(std::move(unread), &held).get().ok());
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(harness.Run(harness.Request({Tone(0.5)})).reason(), reason::kTooManyCalls);
  held.reset();
  EXPECT_TRUE(harness.Run(harness.Request({Tone(0.5)})).ok());
}

TEST(PipelineTest, CountsTheBytesOfAReplyUntilItHasLeft) {
  PipelineHarness harness({.pipeline = {.max_bytes_in_flight = 160'000}});
  // Half a second's 64 kB and twice a reply of 30 kB: another half a second no longer fits. So it is with six times one
  // of 10 kB, whose message is larger than its bytes.
  for (const auto& [bytes, held_per_byte] : {std::pair{30'000, 2}, std::pair{10'000, 6}}) {
    Held held;
    CallRequest unread = harness.Request({Tone(0.5)});
    unread.reply.fixed = bytes;
    unread.reply.held_per_byte = held_per_byte;
    ASSERT_TRUE(harness.Start(std::move(unread), &held).get().ok());
    EXPECT_EQ(harness.Run(harness.Request({Tone(0.5)})).reason(), reason::kMemoryFull);
    held.reset();
    EXPECT_TRUE(harness.Run(harness.Request({Tone(0.5)})).ok());
  }
}

TEST(PipelineTest, PreparesAShortCallBeforeTheRestOfALongOne) {
  PipelineHarness harness({.pipeline = {.threads = 1}});
  // An hour's preparation takes seconds.
  CallRequest hour = harness.Request({});
  const std::vector<float> silence(size_t{3600} * kSampleRateHz);
  hour = harness.Request({silence});
  std::future<Answer> long_call = harness.Start(std::move(hour));
  EXPECT_TRUE(harness.Run(harness.Request({Tone(0.2)})).ok());
  EXPECT_NE(long_call.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_TRUE(long_call.get().ok());
}

TEST(PipelineTest, StopsPreparingWhenItShutsDown) {
  PipelineHarness harness({.pipeline = {.threads = 1}});
  std::future<Answer> call = harness.Start(harness.Request(std::vector<std::vector<float>>(100, Tone(10))));
  harness.pipeline->BeginShutdown();
  const Answer answer = call.get();
  EXPECT_EQ(answer.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(answer.reason(), reason::kShuttingDown);
  EXPECT_LT(answer.report.audio, absl::Seconds(1000));
}

// Lets calls in, refuses their windows, and knows how many are being prepared.
class RefusingBatcher : public Batcher {
 public:
  void Forget(int) override {}
  absl::Status Submit(std::shared_ptr<CallWork> /*call*/) override { return absl::UnavailableError("refused"); }
  absl::Status Admit(std::shared_ptr<CallWork> /*call*/, const Reservation& /*reservation*/) override {
    ++admitted;
    ++preparing;
    return absl::OkStatus();
  }
  absl::Status Append(CallWork* /*call*/, std::vector<WindowRequest> /*requests*/, bool complete) override {
    if (preparing == 0) appended_unannounced = true;
    if (complete) --preparing;
    return absl::UnavailableError("refused");
  }
  void Abandon(std::shared_ptr<CallWork> call) override {
    ++abandoned;
    call->computed = nullptr;
    std::exchange(call->done, nullptr)(absl::CancelledError("given up"), {});
  }
  int64_t credit_frames() const override { return 8192; }
  absl::Duration RetryDelay() const override { return absl::Seconds(1); }
  Load load() const override { return {}; }
  void BeginPreparation() override { ++preparing; }
  void EndPreparation() override { --preparing; }
  void Shutdown(const absl::Status&) override {}

  std::atomic<int> preparing = 0;
  std::atomic<int> admitted = 0;
  std::atomic<int> abandoned = 0;
  std::atomic<bool> appended_unannounced = false;
};

TEST(PipelineTest, TellsTheBatcherWhileItPreparesACallAndGivesUpWhatFails) {
  RefusingBatcher batcher;
  PipelineHarness harness;
  harness.network->batcher = &batcher;
  EXPECT_EQ(harness.Run(harness.Request({Tone(0.5), Tone(0.5)})).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(harness.Run(harness.Request({{}})).code(), absl::StatusCode::kInvalidArgument);
  harness.pipeline.reset();
  EXPECT_EQ(batcher.admitted, 2);
  EXPECT_EQ(batcher.abandoned, 2);
  EXPECT_FALSE(batcher.appended_unannounced);
  EXPECT_EQ(batcher.preparing, 0);
}

TEST_F(GatedPipelineTest, RefusesALargeCallThatTheMachineHasNoRoomFor) {
  std::atomic<bool> has_room = false;
  PipelineHarness harness({.pipeline = {.has_room = [&](int64_t) { return has_room.load(); }}});
  const Answer refused = harness.Run(harness.Request({Tone(1)}));
  EXPECT_EQ(refused.reason(), reason::kMemoryFull);
  EXPECT_TRUE(refused.error().retry_after.has_value());
  has_room = true;
  EXPECT_TRUE(harness.Run(harness.Request({Tone(1)})).ok());
}

// Throws where rows are written, and forgets the end otherwise.
class ThrowingSink final : public ReplySink {
 public:
  std::optional<CallError> OnRows(const WindowRows&) override { throw std::bad_alloc(); }
  void OnEnd(const CallError* error, const CallReport&, Held) override {
    ended_.set_value(error != nullptr ? std::optional(*error) : std::nullopt);
  }
  std::optional<CallError> Wait() { return ended_.get_future().get(); }

 private:
  std::promise<std::optional<CallError>> ended_;
};

TEST_F(GatedPipelineTest, ACallWithoutMemoryForItsRowsFailsAlone) {
  PipelineHarness harness;
  ThrowingSink sink;
  CallRequest request = harness.Request({Tone(4), Tone(4)}, LaneKind::kTimestamps);
  request.sink = &sink;
  harness.pipeline->Start(std::move(request));
  const std::optional<CallError> error = sink.Wait();
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->reason, reason::kMemoryFull);
  EXPECT_TRUE(error->retry_after.has_value());
  EXPECT_EQ(harness.metrics.count("rejected MEMORY_FULL"), 1);
  EXPECT_TRUE(harness.Run(harness.Request({Tone(1)})).ok());
}

}  // namespace
}  // namespace hearwire
