#include "server/pipeline/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "models/log_mel/clip_windows.h"
#include "tests/fixtures/audio_files.h"
#include "tests/server/pipeline/pipeline_harness.h"

namespace hearwire {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> FakeRowOf(const PipelineHarness& harness, const Window& window, const Readout& readout) {
  std::vector<float> row(ReadoutSize(harness.network->shape, 128, readout));
  FakeRow(harness.network->index, window, readout, absl::MakeSpan(row));
  return row;
}

std::vector<float> FakeScene(const PipelineHarness& harness, const std::vector<float>& clip, const Readout& readout) {
  const ClipWindows windows = MakeSceneWindows(clip, MelSettings{}).value();
  std::vector<double> sum;
  for (const Window& window : windows.windows) {
    const std::vector<float> row = FakeRowOf(harness, window, readout);
    sum.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i) sum[i] += row[i];
  }
  std::vector<float> mean;
  for (const double value : sum) mean.push_back(static_cast<float>(value / windows.windows.size()));
  return mean;
}

std::vector<float> Concatenated(const std::vector<std::vector<float>>& rows) {
  std::vector<float> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

TEST(PipelineTest, GivesOneRowPerSceneInTheOrderOfTheClips) {
  PipelineHarness harness;
  // Of one window, of several (their mean), of one again.
  const std::vector<std::vector<float>> clips = {Tone(1, 300), Tone(11, 500), Tone(0.5, 700)};
  const Answer answer = harness.Run(harness.Request(clips));
  ASSERT_TRUE(answer.ok()) << answer.error().status;
  EXPECT_EQ(answer.result().row_size, harness.config.embedding_size());
  EXPECT_THAT(answer.result().rows_per_clip, ElementsAre(1, 1, 1));
  std::vector<std::vector<float>> expected;
  for (const auto& clip : clips) expected.push_back(FakeScene(harness, clip, harness.config.readout));
  EXPECT_EQ(answer.result().rows, Concatenated(expected));
  EXPECT_EQ(answer.report.audio, absl::Milliseconds(12500));
  EXPECT_EQ(harness.metrics.audio(), absl::Milliseconds(12500));
  EXPECT_EQ(harness.metrics.count("rows"), 1);
  EXPECT_GT(answer.report.times.decode, absl::ZeroDuration());
}

TEST(PipelineTest, GivesARowPerTimestamp) {
  PipelineHarness harness;
  const std::vector<std::vector<float>> clips = {Tone(0.5, 300), Tone(0.2, 600)};
  const Answer answer = harness.Run(harness.Request(clips, LaneKind::kTimestamps));
  ASSERT_TRUE(answer.ok()) << answer.error().status;
  std::vector<std::vector<float>> expected;
  std::vector<int64_t> counts;
  for (const auto& clip : clips) {
    const ClipWindows windows =
        MakeTimestampWindows(clip, harness.config.timestamp_window_samples, MelSettings{}).value();
    counts.push_back(static_cast<int64_t>(windows.windows.size()));
    for (const Window& window : windows.windows) {
      expected.push_back(FakeRowOf(harness, window, harness.config.readout));
    }
  }
  EXPECT_EQ(answer.result().rows_per_clip, counts);
  EXPECT_EQ(answer.result().rows, Concatenated(expected));
}

TEST(PipelineTest, GivesEveryLaneItsRowsOfEveryClip) {
  PipelineHarness harness;
  const std::vector<std::vector<float>> clips = {Tone(11, 300), Tone(0.2, 600)};
  CallRequest request = harness.Request(clips, LaneKind::kTimestamps);
  const Readout logits = LogitsReadout();
  request.lanes.push_back(harness.Request({}).lanes[0]);
  request.lanes.push_back(harness.Request({}).lanes[0]);
  request.lanes[2].readouts = {logits};
  request.reply.per_row = {100, 100, 100};
  const Answer answer = harness.Run(std::move(request));
  ASSERT_TRUE(answer.ok()) << answer.error().status;
  EXPECT_EQ(answer.result(0).rows, harness.Run(harness.Request(clips, LaneKind::kTimestamps)).result().rows);
  EXPECT_EQ(answer.result(1).rows, harness.Run(harness.Request(clips)).result().rows);
  std::vector<std::vector<float>> scenes;
  for (const auto& clip : clips) scenes.push_back(FakeScene(harness, clip, logits));
  EXPECT_EQ(answer.result(2).rows, Concatenated(scenes));
  EXPECT_EQ(answer.report.audio, absl::Milliseconds(11200)) << "a clip is decoded once";
}

TEST(PipelineTest, PutsTheReadoutsOfALaneOneAfterTheOther) {
  PipelineHarness harness;
  const std::vector<std::vector<float>> clips = {Tone(11, 300), Tone(0.2, 600)};
  Readout logits;
  logits.features.Add(Feature::kLogits);
  CallRequest request = harness.Request(clips);
  request.lanes[0].readouts = {logits, harness.config.readout};
  const Answer answer = harness.Run(std::move(request));
  ASSERT_TRUE(answer.ok()) << answer.error().status;
  std::vector<std::vector<float>> expected;
  for (const auto& clip : clips) {
    expected.push_back(FakeScene(harness, clip, logits));
    expected.push_back(FakeScene(harness, clip, harness.config.readout));
  }
  EXPECT_EQ(answer.result().rows, Concatenated(expected));
}

TEST(PipelineTest, RefusesAClipThatIsTooShortForOneOfTheLanes) {
  PipelineHarness harness;
  CallRequest request = harness.Request({Tone(0.05)});
  request.lanes.push_back(harness.Request({}, LaneKind::kTimestamps).lanes[0]);
  request.reply.per_row = {100, 100};
  const Answer answer = harness.Run(std::move(request));
  ASSERT_EQ(answer.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(answer.error().status.message()), HasSubstr("2561"));
}

TEST(PipelineTest, NamesTheFirstBadClip) {
  PipelineHarness harness({.pipeline = {.threads = 4}});
  // Clips 3 and 4 are bad at their very end, so that the longer one is found bad later, whichever comes first.
  for (const auto& [third, fourth] : {std::pair{40, 10}, std::pair{10, 40}}) {
    std::vector<std::vector<float>> clips(12, Tone(0.1));
    clips[3] = Tone(third);
    clips[4] = Tone(fourth);
    clips[3].back() = clips[4].back() = std::numeric_limits<float>::quiet_NaN();
    CallRequest request = harness.Request(clips);
    std::get<PcmAudio>(request.clips[3]).sample_rate_hz = 44100;
    std::get<PcmAudio>(request.clips[4]).sample_rate_hz = 44100;
    const Answer answer = harness.Run(std::move(request));
    ASSERT_EQ(answer.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(answer.error().clip, 3);
    EXPECT_EQ(answer.error().field, AudioField::kSamples);
    EXPECT_EQ(answer.reason(), reason::kInvalidAudio);
  }
}

TEST(PipelineTest, SaysHowLongAClipMustBe) {
  PipelineHarness harness;
  std::vector<float> clip = Tone(1);
  clip.resize(513);
  const Answer scene = harness.Run(harness.Request({clip}));
  ASSERT_EQ(scene.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(scene.error().status.message()), HasSubstr("514"));
  EXPECT_EQ(scene.error().clip, 0);
  clip.resize(514);
  EXPECT_TRUE(harness.Run(harness.Request({clip})).ok());
  clip.resize(2560);
  const Answer timestamps = harness.Run(harness.Request({clip}, LaneKind::kTimestamps));
  ASSERT_EQ(timestamps.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(timestamps.error().status.message()), HasSubstr("2561"));
  clip.resize(2561);
  EXPECT_TRUE(harness.Run(harness.Request({clip}, LaneKind::kTimestamps)).ok());
}

TEST(PipelineTest, RefusesSamplesWhoseSpectrogramOverflows) {
  PipelineHarness harness;
  std::vector<float> clip = Tone(1);
  for (float& sample : clip) sample *= 1e30f;
  const Answer answer = harness.Run(harness.Request({Tone(1), clip}));
  ASSERT_EQ(answer.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(answer.error().clip, 1);
  EXPECT_TRUE(harness.Run(harness.Request({std::vector<float>(32000, 0.0f)})).ok()) << "silence is legal";
}

// Rows that overflow, as those of samples do that are too large for the network though not for the spectrogram.
class OverflowingBackend : public FakeBackend {
 public:
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override { return std::make_unique<Overflowing>(); }

 private:
  struct Overflowing : Embedder {
    absl::Status Embed(int, absl::Span<const WindowRequest> batch) override {
      for (const WindowRequest& request : batch) {
        std::fill_n(request.row, FindConfig(kEmbeddedConfigName)->embedding_size(), 0.0f);
        const bool overflows = request.window.frame_count() > 60;
        request.row[7] = overflows ? std::numeric_limits<float>::infinity() : 1.0f;
      }
      return absl::OkStatus();
    }
  };
};

TEST(PipelineTest, NamesTheClipWhoseRowIsNotFinite) {
  OverflowingBackend backend;
  PipelineHarness harness({}, &backend);
  const Answer answer = harness.Run(harness.Request({Tone(0.5), Tone(1), Tone(0.5)}));
  ASSERT_EQ(answer.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(answer.error().clip, 1);
  EXPECT_EQ(answer.reason(), reason::kInvalidAudio);
  EXPECT_TRUE(harness.Run(harness.Request({Tone(0.5)})).ok());
}

TEST(PipelineTest, TakesACallWithMoreFramesThanMayWaitAtOnce) {
  PipelineHarness harness({.batcher = {.queue = {.max_queued_frames = 300, .credit_frames = 300}}});
  PipelineHarness roomy;
  const Answer scene = harness.Run(harness.Request({Tone(30)}));
  ASSERT_TRUE(scene.ok());
  EXPECT_EQ(scene.result().rows, roomy.Run(roomy.Request({Tone(30)})).result().rows);
  EXPECT_TRUE(harness.Run(harness.Request({Tone(10), Tone(20)}, LaneKind::kTimestamps)).ok());
}

TEST(PipelineTest, DecodesNothingOfACallWhoseLengthsSayThatItsReplyIsTooLarge) {
  PipelineHarness harness({.pipeline = {.max_reply_bytes = 20000}});
  // Two seconds have 41 rows of 736 bytes.
  const Answer long_reply = harness.Run(harness.Request({Tone(2)}, LaneKind::kTimestamps));
  EXPECT_EQ(long_reply.reason(), reason::kReplyTooLarge);
  EXPECT_EQ(long_reply.report.audio, absl::ZeroDuration());
  // A WAV file's length is known too.
  const std::string wav = MakeWav(MakeNoise(1000, 1, 4));
  const auto run_file = [&](std::string_view bytes) {
    CallRequest request = harness.Request({}, LaneKind::kTimestamps);
    request.clips.push_back(EncodedAudio{bytes});
    return harness.Run(std::move(request));
  };
  const Answer large_file = run_file(wav);
  EXPECT_EQ(large_file.reason(), reason::kReplyTooLarge);
  EXPECT_EQ(large_file.report.audio, absl::ZeroDuration());
  EXPECT_EQ(run_file(std::string_view(wav).substr(0, wav.size() - 2)).reason(), reason::kInvalidAudio)
      << "cut off, whatever it claims";
  // Of other files nothing is known but that they have a window.
  CallRequest mixed = harness.Request({Tone(4)}, LaneKind::kTimestamps);
  mixed.clips.push_back(EncodedAudio{"no audio"});
  const Answer at_least = harness.Run(std::move(mixed));
  EXPECT_EQ(at_least.reason(), reason::kReplyTooLarge);
  EXPECT_THAT(std::string(at_least.error().status.message()), HasSubstr("at least"));
}

TEST(PipelineTest, RefusesAReplyOverTheLimitAndSaysItsSize) {
  PipelineHarness harness({.pipeline = {.max_reply_bytes = 10000}});
  // 21 rows of 184 floats, 100 bytes fixed, 10 for the clip.
  const Answer answer = harness.Run(harness.Request({Tone(1)}, LaneKind::kTimestamps));
  ASSERT_EQ(answer.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(answer.reason(), reason::kReplyTooLarge);
  EXPECT_TRUE(answer.error().never_retry);
  EXPECT_THAT(std::string(answer.error().status.message()), HasSubstr("15566 bytes"));
  EXPECT_THAT(std::string(answer.error().status.message()), HasSubstr("10000 bytes"));
  EXPECT_THAT(harness.fake.batches(), ElementsAre());
  EXPECT_TRUE(harness.Run(harness.Request({Tone(1)})).ok());
}

TEST(PipelineTest, RefusesClipsOverTheDecodedLimit) {
  PipelineOptions options;
  options.audio.max_decoded = absl::Seconds(2);
  PipelineHarness harness({.pipeline = options});
  const Answer answer = harness.Run(harness.Request({Tone(1), Tone(2.1)}));
  ASSERT_EQ(answer.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(answer.reason(), reason::kAudioTooLong);
  EXPECT_EQ(answer.error().clip, 1);
  EXPECT_TRUE(answer.error().never_retry);
}

TEST(PipelineTest, ReportsALostDevice) {
  PipelineHarness harness(
      {.before_embed = [](int, absl::Span<const WindowRequest>) { return absl::UnavailableError("no such device"); }});
  const Answer answer = harness.Run(harness.Request({Tone(1)}));
  EXPECT_EQ(answer.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(answer.reason(), reason::kDeviceLost);
  EXPECT_EQ(harness.metrics.count("rejected DEVICE_LOST"), 1);
}

TEST(PipelineTest, TellsACallWithAWindowThatTheDeviceCannotHoldNotToComeBack) {
  PipelineHarness harness({.before_embed = [](int, absl::Span<const WindowRequest>) {
    return absl::ResourceExhaustedError("out of memory");
  }});
  const Answer answer = harness.Run(harness.Request({Tone(1)}));
  EXPECT_EQ(answer.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(answer.reason(), reason::kDeviceMemory);
  EXPECT_TRUE(answer.error().never_retry);
  EXPECT_FALSE(answer.error().retry_after.has_value());
  EXPECT_EQ(harness.metrics.count("rejected DEVICE_MEMORY"), 1);
}

TEST(PipelineTest, CreateNamesTheOptionThatIsOutOfRange) {
  PipelineHarness harness;
  const auto message = [&](const PipelineOptions& options) {
    const auto made = Pipeline::Create(options, &harness.metrics);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(made.status().message());
  };
  EXPECT_THAT(message({.threads = 0}), HasSubstr("threads is 0"));
  EXPECT_THAT(message({.max_reply_bytes = int64_t{1} << 31}), HasSubstr("max_reply_bytes"));
  EXPECT_THAT(message({.max_calls = 0}), HasSubstr("max_calls"));
  EXPECT_THAT(message({.audio = {.max_decoded = absl::ZeroDuration()}}), HasSubstr("max_decoded"));
}

}  // namespace
}  // namespace hearwire
