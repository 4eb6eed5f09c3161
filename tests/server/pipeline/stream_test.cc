// Streams through a pipeline over a fake backend.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/concurrency/mutex.h"
#include "tests/server/pipeline/pipeline_harness.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

struct StreamEnd {
  std::optional<CallError> error;
  CallReport report;
};

// Keeps what a stream gives.
class KeepingSink final : public StreamSink {
 public:
  std::optional<CallError> OnRows(const WindowRows& rows) override {
    MutexLock lock(&mu_);
    Lane& lane = lanes_[rows.lane];
    if (!rows.rows.empty()) lane.first_windows.push_back(rows.first_window);
    lane.rows.insert(lane.rows.end(), rows.rows.begin(), rows.rows.end());
    EXPECT_FALSE(lane.has_ended);
    lane.has_ended = rows.last;
    changed_.SignalAll();
    return std::nullopt;
  }
  void OnEnd(const CallError* error, const CallReport& report, Held held) override {
    held.reset();
    MutexLock lock(&mu_);
    ASSERT_FALSE(end_) << "ended twice";
    end_ = StreamEnd{error == nullptr ? std::nullopt : std::optional(*error), report};
    changed_.SignalAll();
  }
  void OnPieceTaken() override {
    MutexLock lock(&mu_);
    ++taken_;
    changed_.SignalAll();
  }
  bool IsFull() const override { return is_full_.load(); }
  void set_is_full(bool full) { is_full_.store(full); }

  template <typename Condition>
  void WaitUntil(Condition condition) {
    const SteadyTime end = SteadyTime::Now() + absl::Seconds(20);
    MutexLock lock(&mu_);
    while (!condition()) {
      ASSERT_LT(SteadyTime::Now(), end) << "it did not come";
      changed_.WaitUntil(&mu_, end);
    }
  }
  void WaitForPiecesTaken(int count) {
    WaitUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return taken_ >= count || end_; });
  }
  void WaitForValues(int lane, size_t count) {
    WaitUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return lanes_[lane].rows.size() >= count; });
  }
  StreamEnd End() {
    WaitUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return end_.has_value(); });
    MutexLock lock(&mu_);
    return *end_;
  }
  std::vector<float> rows(int lane) {
    MutexLock lock(&mu_);
    return lanes_[lane].rows;
  }
  std::vector<int64_t> first_windows(int lane) {
    MutexLock lock(&mu_);
    return lanes_[lane].first_windows;
  }
  bool has_ended(int lane) {
    MutexLock lock(&mu_);
    return lanes_[lane].has_ended;
  }
  int taken() {
    MutexLock lock(&mu_);
    return taken_;
  }

 private:
  struct Lane {
    std::vector<float> rows;
    std::vector<int64_t> first_windows;  // Of each piece that came.
    bool has_ended = false;
  };

  std::atomic<bool> is_full_ = false;
  Mutex mu_;
  CondVar changed_;
  std::map<int, Lane> lanes_ ABSL_GUARDED_BY(mu_);
  std::optional<StreamEnd> end_ ABSL_GUARDED_BY(mu_);
  int taken_ ABSL_GUARDED_BY(mu_) = 0;
};

std::string Bytes(const std::vector<float>& samples) {
  return std::string(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(float));
}

// A tone that rises, so that no two windows are alike.
std::vector<float> Sweep(double seconds) {
  std::vector<float> samples(static_cast<size_t>(seconds * kSampleRateHz));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / kSampleRateHz;
    samples[i] = static_cast<float>(0.3 * std::sin(2 * M_PI * (100 * t + 20 * t * t)));
  }
  return samples;
}

class StreamTest : public testing::Test {
 protected:
  // Timestamps, then scenes.
  StreamRequest Request(int64_t first_sample = 0) {
    StreamRequest request;
    request.call.lanes = {harness_.Request({}, LaneKind::kTimestamps).lanes[0], harness_.Request({}).lanes[0]};
    request.format = {.sample_rate_hz = kSampleRateHz};
    request.first_sample = first_sample;
    request.sink = sink_;
    return request;
  }
  void Start(StreamRequest request) { stream_ = harness_.pipeline->StartStream(std::move(request)); }
  void NewSink() { sink_ = std::make_shared<KeepingSink>(); }

  // Gives all, in pieces of at most so many bytes, and waits for each.
  void Give(std::string_view bytes, size_t most = 1 << 20) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, most);
      bytes.remove_prefix(piece.size());
      stream_->AppendPiece(std::string(piece));
      sink_->WaitForPiecesTaken(++pieces_);
    }
  }

  // What the unary call answers: timestamps.
  std::vector<float> Timestamps(const std::vector<float>& clip) {
    return harness_.Run(harness_.Request({clip}, LaneKind::kTimestamps)).result().rows;
  }
  std::vector<float> Scene(const std::vector<float>& clip) {
    return harness_.Run(harness_.Request({clip})).result().rows;
  }
  std::vector<float> MeanOfScenes() {
    SceneMean mean;
    mean.Add(sink_->rows(1), harness_.config.embedding_size());
    const absl::Span<const float> row = mean.Mean();
    return {row.begin(), row.end()};
  }

  PipelineHarness harness_;
  std::shared_ptr<KeepingSink> sink_ = std::make_shared<KeepingSink>();
  std::shared_ptr<StreamCall> stream_;
  int pieces_ = 0;
};

TEST_F(StreamTest, GivesTheRowsOfTheWholeClipHoweverItIsCut) {
  std::mt19937 random(7);
  for (const double seconds : {0.09, 0.5, 9.7, 10.0, 10.00003125, 12.3, 31.0}) {
    const std::vector<float> clip = Sweep(seconds);
    const std::vector<float> timestamps = Timestamps(clip);
    const std::vector<float> scene = Scene(clip);
    for (const size_t most : {size_t{1} << 20, size_t{40000}, size_t{12800}, size_t{5001}}) {
      NewSink();
      pieces_ = 0;
      Start(Request());
      std::string bytes = Bytes(clip);
      for (std::string_view left = bytes; !left.empty();) {
        const size_t size = std::min(left.size(), 1 + random() % most);
        Give(left.substr(0, size));
        left.remove_prefix(size);
      }
      stream_->EndAudio();
      const StreamEnd end = sink_->End();
      ASSERT_FALSE(end.error) << end.error->status;
      ASSERT_EQ(sink_->rows(0), timestamps) << seconds << " s in pieces of at most " << most;
      ASSERT_EQ(MeanOfScenes(), scene) << seconds << " s in pieces of at most " << most;
      EXPECT_TRUE(sink_->has_ended(0) && sink_->has_ended(1));
      EXPECT_EQ(end.report.audio, absl::Seconds(static_cast<double>(clip.size()) / kSampleRateHz));
    }
  }
}

TEST_F(StreamTest, GivesRowsAsSoonAsTheyCanBeKnown) {
  Start(Request());
  const auto row = static_cast<size_t>(harness_.config.embedding_size());
  // A window of timestamps reaches half its length behind its centre, and has to know one sample more.
  const int half = harness_.config.timestamp_window_samples / 2;
  Give(Bytes(Sweep(1)).substr(0, sizeof(float) * static_cast<size_t>(half + 3 * kTimestampHopSamples + 1)));
  sink_->WaitForValues(0, 4 * row);
  EXPECT_EQ(sink_->rows(0).size(), 4 * row);
  stream_->Abandon();
  EXPECT_TRUE(absl::IsCancelled(sink_->End().error->status));
}

TEST_F(StreamTest, SaysWhereAnotherStreamGoesOn) {
  const std::vector<float> clip = Sweep(14);
  const std::string bytes = Bytes(clip);
  const std::vector<float> whole = Timestamps(clip);
  Start(Request());
  Give(std::string_view(bytes).substr(0, 4 * 32000 * 12 + 2), 12345);
  stream_->Stop({.status = absl::UnavailableError("moving"), .reason = reason::kShuttingDown});
  const StreamEnd first = sink_->End();
  ASSERT_TRUE(first.error);
  EXPECT_TRUE(absl::IsUnavailable(first.error->status));
  EXPECT_FALSE(sink_->has_ended(0) || sink_->has_ended(1)) << "the clip goes on elsewhere";
  std::map<std::string, std::string> facts(first.error->facts.begin(), first.error->facts.end());
  const int64_t resume = std::stoll(facts.at("resume_sample"));
  const std::vector<float> before = sink_->rows(0);
  const int row = harness_.config.embedding_size();
  EXPECT_EQ(std::stoll(facts.at("timestamp_rows")), static_cast<int64_t>(before.size()) / row);
  const std::vector<float> scenes_before = sink_->rows(1);
  EXPECT_GT(scenes_before.size(), 0u);

  NewSink();
  pieces_ = 0;
  Start(Request(resume));
  Give(std::string_view(bytes).substr(static_cast<size_t>(4 * resume)), 54321);
  stream_->EndAudio();
  EXPECT_FALSE(sink_->End().error);
  // Scene windows reach further back than timestamps: rows that both streams have answered are the same.
  const int64_t again = static_cast<int64_t>(before.size()) / row - sink_->first_windows(0).front();
  ASSERT_GE(again, 0);
  const std::vector<float> after = sink_->rows(0);
  std::vector<float> joined = before;
  joined.insert(joined.end(), after.begin() + again * row, after.end());
  EXPECT_EQ(joined, whole);
  EXPECT_TRUE(std::equal(after.begin(), after.begin() + again * row, before.end() - again * row));
  const std::vector<float> scenes_after = sink_->rows(1);
  SceneMean mean;
  mean.Add(scenes_before, row);
  mean.Add(scenes_after, row);
  EXPECT_EQ(std::vector<float>(mean.Mean().begin(), mean.Mean().end()), Scene(clip));
}

TEST_F(StreamTest, GivesTheRowsBeforeABadSampleAndNamesIt) {
  std::vector<float> clip = Sweep(3);
  clip[64001] = std::numeric_limits<float>::quiet_NaN();
  const std::string bytes = Bytes(clip);
  Start(Request());
  Give(bytes, 12800);  // 0.1 s.
  const StreamEnd end = sink_->End();
  ASSERT_TRUE(end.error);
  EXPECT_TRUE(absl::IsInvalidArgument(end.error->status));
  EXPECT_EQ(end.error->field, AudioField::kSamples);
  EXPECT_THAT(std::string(end.error->status.message()), HasSubstr("64001"));
  EXPECT_THAT(std::string(end.error->status.message()), HasSubstr("at 2.000 s"));
  // Those whose windows end within the 20 pieces before.
  const auto row = static_cast<size_t>(harness_.config.embedding_size());
  const auto known = static_cast<size_t>((64000 - 1 - harness_.config.timestamp_window_samples / 2) / 1600 + 1);
  EXPECT_EQ(sink_->rows(0).size(), known * row);
}

TEST_F(StreamTest, RefusesAudioThatIsTooShortOrCutWithinASample) {
  const std::string bytes = Bytes(Sweep(0.05));
  Start(Request());
  Give(bytes);
  stream_->EndAudio();
  EXPECT_THAT(std::string(sink_->End().error->status.message()), HasSubstr("2561"));
  EXPECT_TRUE(sink_->rows(1).empty()) << "nothing partial";

  NewSink();
  Start(Request());
  stream_->EndAudio();
  EXPECT_TRUE(absl::IsInvalidArgument(sink_->End().error->status));

  NewSink();
  pieces_ = 0;
  Start(Request());
  Give(Bytes(Sweep(1)).substr(0, 4 * 32000 - 1));
  stream_->EndAudio();
  EXPECT_TRUE(absl::IsInvalidArgument(sink_->End().error->status));
}

TEST_F(StreamTest, RefusesFormatsThatCannotBe) {
  StreamRequest request = Request();
  request.format.sample_rate_hz = 7;
  Start(std::move(request));
  EXPECT_EQ(stream_, nullptr);
  EXPECT_EQ(sink_->End().error->field, AudioField::kSampleRate);

  NewSink();
  Start(Request(-1));
  EXPECT_EQ(sink_->End().error->field, AudioField::kSource);
}

TEST_F(StreamTest, EndsForItsDeadlineWhereThatIsWhyItIsGivenUp) {
  StreamRequest request = Request();
  request.call.deadline = SteadyTime::Now() + absl::Milliseconds(20);
  Start(std::move(request));
  ASSERT_NE(stream_, nullptr);
  absl::SleepFor(absl::Milliseconds(25));
  stream_->Abandon();
  EXPECT_TRUE(absl::IsDeadlineExceeded(sink_->End().error->status));
}

TEST_F(StreamTest, TakesNoMoreThanTwoPiecesWhileItsSinkIsFull) {
  sink_->set_is_full(true);
  Start(Request());
  stream_->AppendPiece(Bytes(Sweep(1)));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(sink_->taken(), 0);
  EXPECT_TRUE(sink_->rows(0).empty());
  sink_->set_is_full(false);
  stream_->OnSinkHasRoom();
  sink_->WaitForPiecesTaken(1);
  stream_->EndAudio();
  EXPECT_FALSE(sink_->End().error);
}

TEST_F(StreamTest, IsRefusedWhenTheServerHasNoRoom) {
  PipelineHarness small({.pipeline = {.max_calls = 1}});
  StreamRequest request = Request();
  for (LaneRequest& lane : request.call.lanes) lane.network = &small.network;
  const auto first = small.pipeline->StartStream(std::move(request));
  ASSERT_NE(first, nullptr);
  const auto first_sink = sink_;
  NewSink();
  StreamRequest second = Request();
  for (LaneRequest& lane : second.call.lanes) lane.network = &small.network;
  EXPECT_EQ(small.pipeline->StartStream(std::move(second)), nullptr);
  EXPECT_EQ(sink_->End().error->reason, reason::kTooManyCalls);
  first->Abandon();
  first_sink->End();
  NewSink();
  StreamRequest third = Request();
  for (LaneRequest& lane : third.call.lanes) lane.network = &small.network;
  const auto again = small.pipeline->StartStream(std::move(third));
  ASSERT_NE(again, nullptr);
  small.pipeline->BeginShutdown();
  again->AppendPiece(Bytes(Sweep(1)));
  EXPECT_EQ(sink_->End().error->reason, reason::kShuttingDown);
}

// Holds the batches back.
class GatedStreamTest : public testing::Test {
 protected:
  Gate gate_;
};

TEST_F(GatedStreamTest, TakesNoMoreAudioThanItsCreditWhileNothingIsComputed) {
  PipelineHarness harness({.batcher = {.queue = {.max_batch_frames = 400, .credit_frames = 800}},
                           .before_embed = [this](int, absl::Span<const WindowRequest>) {
                             gate_.Pass();
                             return absl::OkStatus();
                           }});
  auto sink = std::make_shared<KeepingSink>();
  StreamRequest request;
  request.call.lanes = {harness.Request({}, LaneKind::kTimestamps).lanes[0]};
  request.format = {.sample_rate_hz = kSampleRateHz};
  request.sink = sink;
  const auto stream = harness.pipeline->StartStream(std::move(request));
  const std::string second = Bytes(Sweep(1));
  int given = 0;
  // A second is 20 windows of 17 frames: the credit is for fewer than three.
  for (; given < 20 && sink->taken() == given; ++given) {
    stream->AppendPiece(second);
    const SteadyTime end = SteadyTime::Now() + absl::Milliseconds(200);
    while (sink->taken() <= given && SteadyTime::Now() < end) absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_LE(given, 5);
  gate_.Open();
  sink->WaitForPiecesTaken(given);
  stream->EndAudio();
  EXPECT_FALSE(sink->End().error);
}

}  // namespace
}  // namespace hearwire
