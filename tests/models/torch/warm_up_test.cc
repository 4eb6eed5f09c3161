#include "models/torch/warm_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr ChunkPolicy kPolicy = {.max_frames = 32768, .pad_windows = true, .small_chunk_frames = 4096};

ChunkNetwork MakeNetwork(double width, int mels = 128, int hop = 320) {
  return {MakeNetworkShape(width), mels, (5120 - 1) / hop + 1, (320000 - 1) / hop + 1};
}

// Eight of the published networks, no two of one shape.
std::vector<ChunkNetwork> EightNetworks() {
  std::vector<ChunkNetwork> networks;
  for (const double width : {0.1, 0.2, 0.4, 0.5, 1.0, 2.0, 3.0, 4.0}) networks.push_back(MakeNetwork(width));
  return networks;
}

TEST(WarmUpTest, GivesEachNetworkItsLikeliestChunks) {
  const auto chunks = ChooseWarmUp(EightNetworks(), kPolicy);
  for (int network = 0; network < 8; ++network) {
    std::vector<std::pair<int, int>> shapes;
    for (const WarmUpChunk& chunk : chunks) {
      if (chunk.network == network) shapes.emplace_back(chunk.shape.windows, chunk.shape.frames);
    }
    ASSERT_GE(shapes.size(), 5u);
    shapes.resize(5);
    EXPECT_THAT(shapes, ElementsAre(std::pair(1, 1000), std::pair(256, 16), std::pair(2048, 16), std::pair(32, 1000),
                                    std::pair(32, 16)))
        << network;
  }
}

TEST(WarmUpTest, TakesTurns) {
  const auto chunks = ChooseWarmUp(EightNetworks(), kPolicy);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(chunks[i].network, i % 8) << i;
}

TEST(WarmUpTest, WarmsUpEveryNumberOfWindowsAndScenesOfOneNetwork) {
  std::map<int, std::vector<int>> windows;  // By frames.
  for (const WarmUpChunk& chunk : ChooseWarmUp({MakeNetwork(1.0)}, kPolicy)) {
    windows[chunk.shape.frames].push_back(chunk.shape.windows);
  }
  for (auto& [frames, counts] : windows) std::sort(counts.begin(), counts.end());
  EXPECT_THAT(windows, ElementsAre(Pair(16, ElementsAre(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)),
                                   Pair(125, ElementsAre(1, 2, 4, 8, 16, 32)), Pair(250, ElementsAre(1, 2, 4, 8, 16)),
                                   Pair(500, ElementsAre(1, 2, 4, 8)), Pair(1000, ElementsAre(1, 2, 4, 8, 16, 32))));
}

TEST(WarmUpTest, ChoosesChunksThatBatchesAreCutInto) {
  const std::vector<ChunkNetwork> networks = {MakeNetwork(1.0, 128, 160), MakeNetwork(1.0, 40, 480),
                                              MakeNetwork(1.0, 64, 800)};
  for (const int max_frames : {100, 1024, 5000, 32768}) {
    ChunkPolicy policy = kPolicy;
    policy.max_frames = max_frames;
    for (const WarmUpChunk& chunk : ChooseWarmUp(networks, policy)) {
      const ChunkNetwork& network = networks[chunk.network];
      const std::vector<int> lengths(chunk.shape.windows, chunk.shape.frames);
      EXPECT_EQ(CutChunk(lengths, network, policy).shape, chunk.shape)
          << chunk.shape.windows << " x " << chunk.shape.frames << " of " << max_frames;
    }
  }
}

// A device that has memory for so many frames.
class SmallSlot final : public Slot {
 public:
  explicit SmallSlot(int max_frames) : max_frames_(max_frames) {}

  absl::StatusOr<ChunkInput> Input(const Chunk& chunk) override {
    rows_.assign(chunk.rows * chunk.shape.mels, -1.0f);
    index_.assign(chunk.shape.windows * chunk.shape.frames, -1);
    lengths_.assign(chunk.shape.windows, -1);
    return ChunkInput{rows_.data(), index_.data(), lengths_.data()};
  }
  absl::Status Start(int network, const Chunk& chunk, const ColumnPlan& plan) override {
    if (chunk.shape.windows * chunk.shape.frames > max_frames_) return absl::ResourceExhaustedError("no engine");
    EXPECT_THAT(rows_, testing::Each(0.0f));
    EXPECT_THAT(index_, testing::Each(0));
    EXPECT_EQ(chunk.shortest, chunk.shape.frames);
    EXPECT_TRUE(plan.features().NeedsHead());
    ran.push_back({network, chunk.shape});
    return absl::OkStatus();
  }
  absl::StatusOr<const float*> Finish() override { return rows_.data(); }
  void ReleaseMemory() override { ++releases; }

  std::vector<WarmUpChunk> ran;
  int releases = 0;

 private:
  const int max_frames_;
  std::vector<float> rows_;
  std::vector<int32_t> index_;
  std::vector<int32_t> lengths_;
};

class SmallDeviceTest : public testing::Test {
 protected:
  absl::Status WarmUpOn(Slot& slot) {
    const std::vector<ChunkNetwork> networks = {MakeNetwork(0.1)};
    const std::vector<WarmUpChunk> chunks = {
        {0, {1, 1000, 128}}, {0, {256, 16, 128}}, {0, {32, 1000, 128}}, {0, {24, 16, 128}}, {0, {2, 1000, 128}}};
    return WarmUp(
        chunks,
        [&](const WarmUpChunk& chunk) {
          ++tries_;
          now_ += absl::ToChronoNanoseconds(chunk_time_);
          return RunZeros(slot, networks[chunk.network], chunk);
        },
        time_, [this](const std::string& message) { warnings_.push_back(message); });
  }

  int tries_ = 0;
  std::vector<std::string> warnings_;
  std::chrono::steady_clock::time_point now_;
  absl::Duration chunk_time_;
  WarmUpTime time_{absl::Seconds(10), [this] { return now_; }};
};

TEST_F(SmallDeviceTest, RunsAllWhereMemorySuffices) {
  SmallSlot slot(1 << 20);
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_EQ(slot.ran.size(), 5u);
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(SmallDeviceTest, LeavesOutWhatDoesNotFitAndWhatIsLarger) {
  SmallSlot slot(2000);
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_THAT(slot.ran, ElementsAre(WarmUpChunk{0, {1, 1000, 128}}, WarmUpChunk{0, {24, 16, 128}},
                                    WarmUpChunk{0, {2, 1000, 128}}));
  EXPECT_EQ(tries_, 4) << "32 scenes are larger than what had failed";
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("256 windows of 16 frames")));
}

TEST_F(SmallDeviceTest, WarnsOnceOfTheSmallestThatFails) {
  SmallSlot slot(400);
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_THAT(slot.ran, ElementsAre(WarmUpChunk{0, {24, 16, 128}}));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr(" 1 window of 1000 frames")));
}

TEST_F(SmallDeviceTest, FailsWhereNothingRuns) {
  SmallSlot slot(0);
  EXPECT_TRUE(absl::IsResourceExhausted(WarmUpOn(slot)));
}

TEST_F(SmallDeviceTest, EndsWithItsTime) {
  SmallSlot slot(1 << 20);
  chunk_time_ = absl::Seconds(4);
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_EQ(tries_, 3) << "the third begins after 8 s, the fourth would after 12";
  EXPECT_THAT(warnings_, ElementsAre(AllOf(HasSubstr("after 10s, with 3 of 5 kinds of chunks done"),
                                           HasSubstr("the likeliest of them 24 windows of 16 frames,"))));
}

TEST_F(SmallDeviceTest, RunsTheLikeliestHoweverLongItTakes) {
  SmallSlot slot(1 << 20);
  chunk_time_ = absl::Seconds(40);
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_EQ(tries_, 1);
}

// Also where the likeliest does not fit.
TEST_F(SmallDeviceTest, LooksForWhatFitsHoweverLongItTakes) {
  SmallSlot slot(400);
  chunk_time_ = absl::Seconds(40);
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_THAT(slot.ran, ElementsAre(WarmUpChunk{0, {24, 16, 128}}));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("too little memory")));
}

TEST_F(SmallDeviceTest, SharesTheTimeAmongWorkers) {
  SmallSlot slot(1 << 20);
  chunk_time_ = absl::Seconds(4);
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_EQ(tries_, 3 + 1) << "each worker runs one chunk in any case";
  EXPECT_EQ(warnings_.size(), 1u) << "one worker says it for all";

  time_.Restart();
  EXPECT_TRUE(WarmUpOn(slot).ok());
  EXPECT_EQ(tries_, 4 + 3);
  EXPECT_EQ(warnings_.size(), 2u);
}

TEST(WarmUpTimeTest, BeginsWithTheFirstWorker) {
  std::chrono::steady_clock::time_point now;
  WarmUpTime time(absl::Seconds(10), [&] { return now; });
  now += std::chrono::hours(1);
  EXPECT_FALSE(time.IsOver());
  time.Begin();
  now += std::chrono::seconds(6);
  time.Begin();
  EXPECT_FALSE(time.IsOver());
  now += std::chrono::seconds(4);
  EXPECT_TRUE(time.IsOver());
  time.Restart();
  EXPECT_FALSE(time.IsOver());
  time.Begin();
  EXPECT_FALSE(time.IsOver());
}

TEST_F(SmallDeviceTest, EndsOnOtherFailures) {
  const std::vector<WarmUpChunk> chunks(3, {0, {1, 1000, 128}});
  int tries = 0;
  const absl::Status status = WarmUp(
      chunks,
      [&](const WarmUpChunk&) {
        ++tries;
        return absl::UnavailableError("lost");
      },
      time_, nullptr);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(tries, 1);
}

}  // namespace
}  // namespace hearwire
