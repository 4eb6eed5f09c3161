// What is wrong with a stream's audio ends it, after everything that the samples before it tell.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/server/pipeline/stream_harness.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

using StreamFaultsTest = StreamTest;

TEST_F(StreamFaultsTest, GivesTheRowsBeforeABadSampleAndNamesIt) {
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

// However large the piece is that has the fault, what is known before it arrives as if the piece had ended there.
TEST_F(StreamFaultsTest, GivesTheSameRowsBeforeAFaultHoweverItIsCut) {
  struct Fault {
    int rate_hz;
    float sample;
    const char* says;
  };
  for (const Fault& fault :
       {Fault{kSampleRateHz, std::numeric_limits<float>::quiet_NaN(), "sample 432017"},
        Fault{44100, std::numeric_limits<float>::infinity(), "sample 432017"}, Fault{kSampleRateHz, 1e30f, "1e+30"}}) {
    std::vector<float> clip = Sweep(16);
    clip.resize(500000);
    clip[432017] = fault.sample;
    const std::string bytes = Bytes(clip);
    std::vector<std::vector<float>> timestamps;
    std::vector<std::vector<float>> scenes;
    for (const size_t most : {size_t{4}, bytes.size()}) {
      NewSink();
      pieces_ = 0;
      StreamRequest request = Request();
      request.format.sample_rate_hz = fault.rate_hz;
      Start(std::move(request));
      const size_t good = 4 * (432017 - 100);
      if (most == 4) Give(std::string_view(bytes).substr(0, good), 100000);
      Give(std::string_view(bytes).substr(most == 4 ? good : 0), most);
      const StreamEnd end = sink_->End();
      ASSERT_TRUE(end.error);
      EXPECT_EQ(end.error->reason, reason::kInvalidAudio);
      EXPECT_THAT(std::string(end.error->status.message()), HasSubstr(fault.says));
      EXPECT_FALSE(sink_->has_ended(0) || sink_->has_ended(1)) << "no summary follows";
      timestamps.push_back(sink_->rows(0));
      scenes.push_back(sink_->rows(1));
    }
    const auto row = static_cast<size_t>(harness_.config.embedding_size());
    EXPECT_GT(timestamps[0].size(), (fault.rate_hz == kSampleRateHz ? 260 : 190) * row);
    EXPECT_EQ(scenes[0].empty(), fault.rate_hz != kSampleRateHz) << "windows of scenes come after 10 s";
    EXPECT_EQ(timestamps[0], timestamps[1]) << fault.says << " at " << fault.rate_hz << " Hz";
    EXPECT_EQ(scenes[0], scenes[1]) << fault.says << " at " << fault.rate_hz << " Hz";
  }
}

TEST_F(StreamFaultsTest, GivesTheRowsOfAllPiecesBeforeOneThatMayNotBe) {
  const std::vector<float> clip = Sweep(8);
  Start(Request());
  Give(Bytes(clip));
  stream_->EndAudio(CallError{.status = absl::InvalidArgumentError("not this"), .reason = reason::kInvalidRequest});
  const StreamEnd end = sink_->End();
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->status.message(), "not this");
  EXPECT_TRUE(end.error->facts.empty()) << "no other stream goes on behind that";
  const auto row = static_cast<size_t>(harness_.config.embedding_size());
  const auto half = static_cast<size_t>(harness_.config.timestamp_window_samples / 2);
  EXPECT_EQ(sink_->rows(0).size(), ((clip.size() - 1 - half) / 1600 + 1) * row);
  EXPECT_FALSE(sink_->has_ended(0) || sink_->has_ended(1));
}

TEST_F(StreamFaultsTest, RefusesAudioThatIsTooShortOrCutWithinASample) {
  const std::string bytes = Bytes(Sweep(0.05));
  Start(Request());
  Give(bytes);
  stream_->EndAudio(std::nullopt);
  EXPECT_THAT(std::string(sink_->End().error->status.message()), HasSubstr("2561"));
  EXPECT_TRUE(sink_->rows(1).empty()) << "nothing partial";

  NewSink();
  Start(Request());
  stream_->EndAudio(std::nullopt);
  EXPECT_TRUE(absl::IsInvalidArgument(sink_->End().error->status));

  NewSink();
  pieces_ = 0;
  Start(Request());
  Give(Bytes(Sweep(1)).substr(0, 4 * 32000 - 1));
  stream_->EndAudio(std::nullopt);
  EXPECT_TRUE(absl::IsInvalidArgument(sink_->End().error->status));
}

// Its rows are finite but for one.
class OverflowingBackend : public FakeBackend {
 public:
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override { return std::make_unique<Overflowing>(); }

 private:
  struct Overflowing : Embedder {
    absl::Status Embed(int, absl::Span<const WindowRequest> batch) override {
      for (const WindowRequest& request : batch) {
        const int size = FindConfig(kEmbeddedConfigName)->embedding_size();
        std::fill_n(request.row, size, static_cast<float>(rows));
        if (rows++ == 13) request.row[size - 1] = std::numeric_limits<float>::infinity();
      }
      return absl::OkStatus();
    }
    int rows = 0;
  };
};

TEST(StreamOverflowTest, GivesTheRowsBeforeOneThatIsNotFinite) {
  OverflowingBackend backend;
  PipelineHarness harness({.batcher = {.workers = 1}}, &backend);
  auto sink = std::make_shared<KeepingSink>();
  StreamRequest request;
  request.call.lanes = {harness.Request({}, LaneKind::kTimestamps).lanes[0]};
  request.format = {.sample_rate_hz = kSampleRateHz};
  request.sink = sink;
  const auto stream = harness.pipeline->StartStream(std::move(request));
  stream->AppendPiece(Bytes(Sweep(2)));
  const StreamEnd end = sink->End();
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->reason, reason::kInvalidAudio);
  const auto row = static_cast<size_t>(harness.config.embedding_size());
  ASSERT_EQ(sink->rows(0).size(), 13 * row);
  EXPECT_EQ(sink->rows(0).back(), 12.0f);
}

}  // namespace
}  // namespace hearwire
