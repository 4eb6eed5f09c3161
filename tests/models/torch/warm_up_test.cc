#include "models/torch/warm_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <list>
#include <map>
#include <random>
#include <vector>

namespace hearwire {
namespace {

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

// As LibTorch's: the plan that was used longest ago goes first.
class PlanCache {
 public:
  void Use(const PlanKey& key) {
    const auto found = places_.find(key);
    if (found != places_.end()) order_.erase(found->second);
    order_.push_front(key);
    places_[key] = order_.begin();
    if (order_.size() <= kMaxCudnnPlans) return;
    ++evictions_;
    places_.erase(order_.back());
    order_.pop_back();
  }
  int evictions() const { return evictions_; }
  size_t size() const { return order_.size(); }

 private:
  std::list<PlanKey> order_;
  std::map<PlanKey, std::list<PlanKey>::iterator> places_;
  int evictions_ = 0;
};

TEST(WarmUpTest, CountsThePlansOfANetwork) {
  const NetworkShape mn10 = MakeNetworkShape(1.0);
  const auto plans = ConvolutionPlans(mn10, {64, 16, 128});
  // The stem and 15 depthwise convolutions. Of these 3 repeat another block's.
  EXPECT_EQ(plans.size(), 13u);
  // The stem, and the last depthwise convolution on a map of 1 x 4.
  EXPECT_TRUE(plans.count({64, 1, 16, 128, 16, 3, 2, 1}));
  EXPECT_TRUE(plans.count({64, 960, 1, 4, 960, 5, 1, 960}));
  // Another number of windows or frames: none in common.
  for (const ChunkShape& other : {ChunkShape{32, 16, 128}, ChunkShape{64, 64, 128}}) {
    for (const PlanKey& key : ConvolutionPlans(mn10, other)) EXPECT_FALSE(plans.count(key));
  }
}

TEST(WarmUpTest, EvictsNothingThatItWarmedUp) {
  const auto networks = EightNetworks();
  const auto chunks = ChooseWarmUp(networks, kPolicy, kMaxWarmPlans);
  PlanCache cache;
  for (const WarmUpChunk& chunk : chunks) {
    for (const PlanKey& key : ConvolutionPlans(networks[chunk.network].shape, chunk.shape)) cache.Use(key);
  }
  EXPECT_EQ(cache.evictions(), 0);
  EXPECT_LE(cache.size(), size_t{kMaxWarmPlans});
  // The next chunk of each network's would be one too many.
  EXPECT_GT(cache.size(), size_t{kMaxWarmPlans} - 16);
}

TEST(WarmUpTest, GivesEachNetworkItsLikeliestChunks) {
  const auto chunks = ChooseWarmUp(EightNetworks(), kPolicy, kMaxWarmPlans);
  for (int network = 0; network < 8; ++network) {
    std::vector<std::pair<int, int>> shapes;
    for (const WarmUpChunk& chunk : chunks) {
      if (chunk.network == network) shapes.emplace_back(chunk.shape.windows, chunk.shape.frames);
    }
    shapes.resize(5);
    EXPECT_THAT(shapes, ElementsAre(std::pair(1, 1000), std::pair(256, 16), std::pair(2048, 16), std::pair(32, 1000),
                                    std::pair(32, 16)))
        << network;
  }
}

TEST(WarmUpTest, WarmsUpEveryNumberOfWindowsAndScenesOfOneNetwork) {
  std::map<int, std::vector<int>> windows;  // By frames.
  for (const WarmUpChunk& chunk : ChooseWarmUp({MakeNetwork(1.0)}, kPolicy, kMaxWarmPlans)) {
    windows[chunk.shape.frames].push_back(chunk.shape.windows);
  }
  for (auto& [frames, counts] : windows) std::sort(counts.begin(), counts.end());
  EXPECT_THAT(windows, ElementsAre(Pair(16, ElementsAre(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)),
                                   Pair(125, ElementsAre(1, 2, 4, 8, 16, 32)), Pair(250, ElementsAre(1, 2, 4, 8, 16)),
                                   Pair(500, ElementsAre(1, 2, 4, 8)), Pair(1000, ElementsAre(1, 2, 4, 8, 16, 32))));
}

// Batches of a few and of many scenes of 0.5 to 10 s, and timestamps between them.
TEST(WarmUpTest, HasRoomForScenesOfAnyLengthsOnOneNetwork) {
  const ChunkNetwork network = MakeNetwork(1.0);
  PlanCache cache;
  for (const WarmUpChunk& chunk : ChooseWarmUp({network}, kPolicy, kMaxWarmPlans)) {
    for (const PlanKey& key : ConvolutionPlans(network.shape, chunk.shape)) cache.Use(key);
  }
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const bool scenes = round % 4 != 0;
    std::vector<int> lengths(1 + random() % (random() % 2 == 0 ? 4 : scenes ? 64 : 2048));
    for (int& length : lengths) length = scenes ? static_cast<int>(50 + random() % 951) : 16;
    std::sort(lengths.rbegin(), lengths.rend());
    for (absl::Span<const int> waiting = lengths; !waiting.empty();) {
      const ChunkCut cut = CutChunk(waiting, network, kPolicy);
      for (const PlanKey& key : ConvolutionPlans(network.shape, cut.shape)) cache.Use(key);
      waiting.remove_prefix(cut.windows);
    }
  }
  EXPECT_EQ(cache.evictions(), 0);
  std::cout << cache.size() << " plans\n";
}

TEST(WarmUpTest, ChoosesChunksThatBatchesAreCutInto) {
  const std::vector<ChunkNetwork> networks = {MakeNetwork(1.0, 128, 160), MakeNetwork(1.0, 40, 480),
                                              MakeNetwork(1.0, 64, 800)};
  for (const int max_frames : {100, 1024, 5000, 32768}) {
    ChunkPolicy policy = kPolicy;
    policy.max_frames = max_frames;
    for (const WarmUpChunk& chunk : ChooseWarmUp(networks, policy, kMaxWarmPlans)) {
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
          return RunZeros(slot, networks[chunk.network], chunk);
        },
        [this](const std::string& message) { warnings_.push_back(message); });
  }

  int tries_ = 0;
  std::vector<std::string> warnings_;
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

TEST_F(SmallDeviceTest, EndsOnOtherFailures) {
  const std::vector<WarmUpChunk> chunks(3, {0, {1, 1000, 128}});
  int tries = 0;
  const absl::Status status = WarmUp(
      chunks,
      [&](const WarmUpChunk&) {
        ++tries;
        return absl::UnavailableError("lost");
      },
      nullptr);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(tries, 1);
}

}  // namespace
}  // namespace hearwire
