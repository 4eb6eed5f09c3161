#include "models/chunks/chunk_embedder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <numeric>

#include "models/configs/config.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kMels = 128;
constexpr int kMaxChunkFrames = 128;  // Eight windows of 16 frames.
const NetworkShape kShape = MakeNetworkShape(0.1);

// What the slots of a test were asked to do, in order.
struct Log {
  std::vector<std::string> events;
  std::vector<std::pair<int, int>> chunks;  // Windows and frames of each that was started.
  std::vector<float> sums;                  // Of the values of every window in them.
  std::vector<int> lengths;                 // Of every window in them.
  std::vector<int> rows;                    // Sent for each.
  std::vector<int> widths;                  // Of the columns of each.
  std::vector<bool> padded;                 // Whether each says that a window in it is padded.
  int releases = 0;
  int max_windows = 1 << 20;   // More are RESOURCE_EXHAUSTED.
  absl::Status finish_status;  // Of every Finish.
  int exhausted_finishes = 0;  // So many of the next ones are RESOURCE_EXHAUSTED.
};

// Columns are the sum of the window's values plus the place of the column.
class FakeSlot final : public Slot {
 public:
  FakeSlot(Log* log, std::string name) : log_(log), name_(std::move(name)) {}

  absl::StatusOr<ChunkInput> Input(const Chunk& chunk) override {
    rows_.assign(chunk.rows * chunk.shape.mels, -1.0f);
    index_.assign(chunk.shape.windows * chunk.shape.frames, -1);
    lengths_.assign(chunk.shape.windows, -1);
    return ChunkInput{rows_.data(), index_.data(), lengths_.data()};
  }
  absl::Status Start(int, const Chunk& chunk, const ColumnPlan& plan) override {
    const ChunkShape& shape = chunk.shape;
    if (shape.windows > log_->max_windows) return absl::ResourceExhaustedError("too little memory");
    log_->events.push_back("start " + name_);
    log_->chunks.emplace_back(shape.windows, shape.frames);
    log_->rows.push_back(chunk.rows);
    log_->widths.push_back(plan.width());
    log_->padded.push_back(chunk.shortest < shape.frames);
    columns_.clear();
    for (int i = 0; i < shape.windows; ++i) {
      float sum = 0;
      for (int t = 0; t < shape.frames; ++t) {
        const auto row = rows_.begin() + index_.at(i * shape.frames + t) * shape.mels;
        sum = std::accumulate(row, row + shape.mels, sum);
      }
      log_->sums.push_back(sum);
      log_->lengths.push_back(lengths_[i]);
      for (int k = 0; k < plan.width(); ++k) columns_.push_back(sum + k);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<const float*> Finish() override {
    log_->events.push_back("finish " + name_);
    if (!log_->finish_status.ok()) return log_->finish_status;
    if (log_->exhausted_finishes > 0) {
      --log_->exhausted_finishes;
      return absl::ResourceExhaustedError("too little memory");
    }
    return columns_.data();
  }
  void ReleaseMemory() override { ++log_->releases; }

 private:
  Log* const log_;
  const std::string name_;
  std::vector<float> rows_;
  std::vector<int32_t> index_;
  std::vector<int32_t> lengths_;
  std::vector<float> columns_;
};

class ChunkEmbedderTest : public testing::Test {
 protected:
  // Adds a window whose values sum to `sum`, with a readout of each of the features.
  void Add(int frames, int sum, Feature feature = Feature::kLogits) { Add(frames, sum, std::vector<Feature>{feature}); }
  void Add(int frames, int sum, const std::vector<Feature>& features) {
    std::vector<float>& values = values_.emplace_back(frames * kMels);
    values.back() = sum;
    WindowRequest request;
    request.window.mels = kMels;
    request.window.runs[0] = {values.data(), frames / 2};
    request.window.runs[2] = {values.data() + frames / 2 * kMels, frames - frames / 2};
    std::vector<Readout>& readouts = readouts_.emplace_back();
    for (const Feature feature : features) readouts.emplace_back().features.Add(feature);
    request.readouts = readouts;
    std::vector<float>& row = rows_.emplace_back(RowSize(kShape, kMels, readouts), -1.0f);
    request.row = row.data();
    requests_.push_back(request);
  }

  absl::Status Embed() { return embedder_.Embed(0, requests_); }

  std::vector<float> FirstValues() const {
    std::vector<float> values;
    for (const auto& row : rows_) values.push_back(row.front());
    return values;
  }

  static std::vector<std::unique_ptr<Slot>> MakeSlots(Log* log) {
    std::vector<std::unique_ptr<Slot>> slots;
    for (const char* name : {"a", "b"}) slots.push_back(std::make_unique<FakeSlot>(log, name));
    return slots;
  }

  Log log_;
  std::vector<std::string> warnings_;
  std::function<void(const std::string&)> warn_ = [this](const std::string& text) { warnings_.push_back(text); };
  ChunkEmbedder embedder_{{{kShape, kMels, 16, 1000}}, MakeSlots(&log_), {.max_frames = kMaxChunkFrames}, warn_};
  ChunkEmbedder padding_embedder_{{{kShape, kMels, 16, 1000}},
                                  MakeSlots(&log_),
                                  {.max_frames = kMaxChunkFrames, .pad_windows = true, .small_chunk_frames = 4096},
                                  warn_};
  std::deque<std::vector<float>> values_;
  std::deque<std::vector<Readout>> readouts_;
  std::deque<std::vector<float>> rows_;
  std::vector<WindowRequest> requests_;
};

TEST_F(ChunkEmbedderTest, RunsWindowsOfEqualLengthTogether) {
  Add(16, 1);
  Add(64, 2);
  Add(16, 3);
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.chunks, ElementsAre(std::pair(1, 64), std::pair(2, 16)));
  EXPECT_THAT(log_.padded, Each(false));
  EXPECT_THAT(FirstValues(), ElementsAre(1, 2, 3));
}

TEST_F(ChunkEmbedderTest, CutsAtTheLargestChunk) {
  for (int i = 1; i <= 13; ++i) Add(16, i);
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.chunks, ElementsAre(std::pair(8, 16), std::pair(4, 16), std::pair(1, 16)));
  EXPECT_THAT(FirstValues(), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13));
}

TEST_F(ChunkEmbedderTest, PadsWindowsThatShareAChunk) {
  for (const int frames : {16, 4, 13, 7, 12, 7}) Add(frames, frames);
  ASSERT_TRUE(padding_embedder_.Embed(0, requests_).ok());
  EXPECT_THAT(log_.chunks, ElementsAre(std::pair(4, 16), std::pair(4, 8)));
  EXPECT_THAT(log_.padded, ElementsAre(true, true));
  // What fills a chunk up is as long as it allows: it alone needs no mask.
  EXPECT_THAT(log_.lengths, ElementsAre(16, 13, 12, 16, 7, 7, 4, 8));
  EXPECT_THAT(log_.sums, ElementsAre(16, 13, 12, 0, 7, 7, 4, 0));
  EXPECT_THAT(FirstValues(), ElementsAre(16, 4, 13, 7, 12, 7));
}

TEST_F(ChunkEmbedderTest, NeedsNoMaskForWindowsThatAreNotThere) {
  for (int i = 0; i < 5; ++i) Add(7, 7);
  ASSERT_TRUE(padding_embedder_.Embed(0, requests_).ok());
  EXPECT_THAT(log_.chunks, ElementsAre(std::pair(8, 7)));
  EXPECT_THAT(log_.lengths, Each(7));
  EXPECT_THAT(log_.sums, ElementsAre(7, 7, 7, 7, 7, 0, 0, 0));
  EXPECT_THAT(log_.padded, ElementsAre(false));
}

TEST_F(ChunkEmbedderTest, RunsALongWindowAlone) {
  Add(1000, 1);
  Add(1000, 2);
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.chunks, ElementsAre(std::pair(1, 1000), std::pair(1, 1000)));
}

TEST_F(ChunkEmbedderTest, GivesEachWindowItsOwnReadout) {
  Add(16, 100, Feature::kLogits);
  Add(16, 200, Feature::kMelAvgs);
  ASSERT_TRUE(Embed().ok());
  EXPECT_EQ(rows_[0].front(), 100);
  EXPECT_EQ(rows_[0].size(), 527u);
  EXPECT_EQ(rows_[1].front(), 200 + 527);  // The columns behind the logits.
  EXPECT_EQ(rows_[1].size(), size_t{kMels});
}

TEST_F(ChunkEmbedderTest, ReadsSeveralReadoutsOutOfOneWindow) {
  Add(16, 100, Feature::kMelAvgs);
  Add(16, 200, {Feature::kMelAvgs, Feature::kLogits, Feature::kMelAvgs});
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.chunks, ElementsAre(std::pair(2, 16)));
  EXPECT_THAT(log_.widths, ElementsAre(kMels + kAudioSetClassCount)) << "what both windows ask for, each once";
  EXPECT_EQ(rows_[0][0], 100);
  ASSERT_THAT(rows_[1], testing::SizeIs(kMels + kAudioSetClassCount + kMels));
  EXPECT_EQ(rows_[1][0], 200);
  EXPECT_EQ(rows_[1][kMels], 200 + kMels) << "the columns behind the mel averages";
  EXPECT_EQ(rows_[1][kMels + kAudioSetClassCount], 200);
}

TEST_F(ChunkEmbedderTest, RefusesAWindowWithoutReadout) {
  Add(16, 1, std::vector<Feature>{});
  EXPECT_EQ(Embed().code(), absl::StatusCode::kInternal);
}

TEST_F(ChunkEmbedderTest, FillsTheNextSlotBeforeItWaitsForTheLast) {
  for (int i = 0; i < 24; ++i) Add(16, i);
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.events, ElementsAre("start a", "start b", "finish a", "start a", "finish b", "finish a"));
}

TEST_F(ChunkEmbedderTest, KeepsTheSlotsBusyAcrossLengthsAndReadouts) {
  const Feature features[] = {Feature::kLogits, Block(3), Feature::kMelAvgs};
  for (int i = 0; i < 6; ++i) Add(100 - i, i, features[i % 3]);
  for (ChunkEmbedder* embedder : {&embedder_, &padding_embedder_}) {
    log_ = Log();
    ASSERT_TRUE(embedder->Embed(0, requests_).ok());
    EXPECT_THAT(log_.chunks, testing::SizeIs(6));
    EXPECT_THAT(log_.events, ElementsAre("start a", "start b", "finish a", "start a", "finish b", "start b", "finish a",
                                         "start a", "finish b", "start b", "finish a", "finish b"));
  }
}

TEST_F(ChunkEmbedderTest, ComputesOfAChunkWhatItsOwnWindowsAskFor) {
  Add(20, 1, Feature::kLogits);
  Add(20, 2, Feature::kMelAvgs);
  Add(18, 3, Feature::kMelAvgs);
  Add(17, 4, Feature::kMelAvgs);
  Add(17, 5, Feature::kLogits);
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.widths, ElementsAre(kAudioSetClassCount + kMels, kMels, kAudioSetClassCount + kMels));
  EXPECT_EQ(rows_[3].front(), 4 + (log_.widths[2] - kMels)) << "the plan of the first chunk, in its order";
}

TEST_F(ChunkEmbedderTest, TellsNetworksApart) {
  const NetworkShape wide = MakeNetworkShape(1.0);
  ChunkEmbedder embedder({{kShape, kMels, 16, 1000}, {wide, kMels, 16, 1000}}, MakeSlots(&log_), {.max_frames = 128});
  Add(16, 1, Block(15));
  ASSERT_TRUE(embedder.Embed(0, requests_).ok());
  std::vector<float> row(wide.blocks.back().out_channels);
  requests_[0].row = row.data();
  ASSERT_TRUE(embedder.Embed(1, requests_).ok());
  EXPECT_THAT(log_.widths, ElementsAre(kShape.blocks.back().out_channels, wide.blocks.back().out_channels));
}

TEST_F(ChunkEmbedderTest, SendsFramesThatWindowsShareOnce) {
  const std::vector<float> clip(40 * kMels, 1.0f);
  for (const int begin : {0, 5, 10, 24}) {
    Add(16, 0);
    requests_.back().window.runs[0] = {values_.back().data(), 2};
    requests_.back().window.runs[1] = {clip.data() + begin * kMels, 13};
    requests_.back().window.runs[2] = {values_.back().data() + 2 * kMels, 1};
  }
  ASSERT_TRUE(Embed().ok());
  // One of zeros, three of each window alone, and of the clip 0 to 23 and 24 to 37.
  EXPECT_THAT(log_.rows, ElementsAre(1 + 4 * 3 + 23 + 13));
  EXPECT_THAT(log_.sums, Each(13 * kMels));
}

TEST_F(ChunkEmbedderTest, HalvesAChunkThatDoesNotFit) {
  log_.max_windows = 2;
  for (int i = 0; i < 9; ++i) Add(16, i);
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.chunks,
              ElementsAre(std::pair(2, 16), std::pair(2, 16), std::pair(2, 16), std::pair(2, 16), std::pair(1, 16)));
  EXPECT_EQ(log_.releases, 4);  // Eight, four: of two slots.
  EXPECT_THAT(FirstValues(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(ChunkEmbedderTest, TellsOfTooLittleMemoryAndKeepsWhatFitted) {
  log_.max_windows = 4;
  for (int i = 0; i < 8; ++i) Add(16, i);
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("8 windows of 16 frames: from now on at most 64 frames")));
  log_.chunks.clear();
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.chunks, ElementsAre(std::pair(4, 16), std::pair(4, 16)));
  EXPECT_EQ(log_.releases, 2);  // Of two slots.
  EXPECT_EQ(warnings_.size(), 1u);
}

TEST_F(ChunkEmbedderTest, RunsAChunkAgainThatDidNotFinishForWantOfMemory) {
  for (const int failures : {1, 2, 3}) {
    requests_.clear();
    values_.clear();
    rows_.clear();
    for (int i = 0; i < 24; ++i) Add(16, i);
    log_.exhausted_finishes = failures;
    ASSERT_TRUE(Embed().ok()) << failures;
    std::vector<float> expected(24);
    std::iota(expected.begin(), expected.end(), 0.0f);
    EXPECT_EQ(FirstValues(), expected) << failures;
    EXPECT_EQ(log_.exhausted_finishes, 0);
  }
}

TEST_F(ChunkEmbedderTest, EndsWhenNothingEverFinishesForWantOfMemory) {
  log_.exhausted_finishes = 1 << 20;
  for (int i = 0; i < 24; ++i) Add(16, i);
  EXPECT_TRUE(absl::IsResourceExhausted(Embed()));
  log_.exhausted_finishes = 0;
  log_.chunks.clear();
  ASSERT_TRUE(Embed().ok());
  EXPECT_EQ(log_.chunks.front(), std::pair(8, 16)) << "what fails alone says nothing about sizes";
}

TEST_F(ChunkEmbedderTest, FailsWhenNotEvenOneWindowFits) {
  log_.max_windows = 0;
  for (int i = 0; i < 5; ++i) Add(16, i);
  const absl::Status status = Embed();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  log_.max_windows = 8;
  EXPECT_TRUE(Embed().ok()) << "a later batch may fit";
}

TEST_F(ChunkEmbedderTest, TakesBackOnlyTheSizesThatItGaveUpInVain) {
  log_.max_windows = 4;
  for (int i = 0; i < 8; ++i) Add(16, i);
  ASSERT_TRUE(Embed().ok());
  log_.max_windows = 0;
  EXPECT_TRUE(absl::IsResourceExhausted(Embed()));
  log_.max_windows = 8;
  log_.chunks.clear();
  ASSERT_TRUE(Embed().ok());
  EXPECT_THAT(log_.chunks, ElementsAre(std::pair(4, 16), std::pair(4, 16))) << "eight had not fitted, four had";
}

TEST_F(ChunkEmbedderTest, RunsNothingMoreOnALostDevice) {
  log_.finish_status = absl::UnavailableError("lost");
  for (int i = 0; i < 24; ++i) Add(16, i);
  EXPECT_TRUE(absl::IsUnavailable(Embed()));
  // Whatever was started was waited for.
  EXPECT_THAT(log_.events, ElementsAre("start a", "start b", "finish a", "finish b"));
  log_.finish_status = absl::OkStatus();
  EXPECT_TRUE(absl::IsUnavailable(Embed()));
  EXPECT_EQ(log_.events.size(), 4u);
}

TEST_F(ChunkEmbedderTest, ForgetsAFailureOfOneBatch) {
  log_.finish_status = absl::InternalError("once");
  Add(16, 7);
  EXPECT_EQ(Embed(), log_.finish_status);
  EXPECT_THAT(rows_[0], Each(-1.0f));
  log_.finish_status = absl::OkStatus();
  EXPECT_TRUE(Embed().ok());
  EXPECT_EQ(rows_[0].front(), 7);
}

TEST_F(ChunkEmbedderTest, RefusesWindowsOfOtherBands) {
  Add(16, 1);
  requests_[0].window.mels = 64;
  const absl::Status status = Embed();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("64 bands"), HasSubstr("128 bands")));
}

}  // namespace
}  // namespace hearwire
