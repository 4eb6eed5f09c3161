// Streams through a pipeline over a fake backend.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/server/pipeline/stream_harness.h"

namespace hearwire {
namespace {

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
      stream_->EndAudio(std::nullopt);
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
  stream_->EndAudio(std::nullopt);
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
  stream_->EndAudio(std::nullopt);
  EXPECT_FALSE(sink_->End().error);
}

TEST_F(StreamTest, IsRefusedWhenTheServerHasNoRoom) {
  PipelineHarness small({.pipeline = {.max_calls = 1}});
  StreamRequest request = Request();
  for (LaneRequest& lane : request.call.lanes) lane.network = small.network;
  const auto first = small.pipeline->StartStream(std::move(request));
  ASSERT_NE(first, nullptr);
  const auto first_sink = sink_;
  NewSink();
  StreamRequest second = Request();
  for (LaneRequest& lane : second.call.lanes) lane.network = small.network;
  EXPECT_EQ(small.pipeline->StartStream(std::move(second)), nullptr);
  EXPECT_EQ(sink_->End().error->reason, reason::kTooManyCalls);
  first->Abandon();
  first_sink->End();
  NewSink();
  StreamRequest third = Request();
  for (LaneRequest& lane : third.call.lanes) lane.network = small.network;
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
  stream->EndAudio(std::nullopt);
  EXPECT_FALSE(sink->End().error);
}

}  // namespace
}  // namespace hearwire
