#include "server/pipeline/lane_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "models/configs/network_shape.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::shared_ptr<const LoadedNetwork> Network(std::string_view name) {
  const NetworkInfo* info = FindNetwork(name);
  return std::make_shared<const LoadedNetwork>(LoadedNetwork{.info = info, .shape = MakeNetworkShape(info->width)});
}

std::shared_ptr<const LoadedHead> HeadOn(const std::shared_ptr<const LoadedNetwork>& network, std::string_view config,
                                         Head::Kind kind) {
  LoadedHead loaded;
  loaded.head.kind = kind;
  loaded.config = Unowned(FindConfig(config));
  loaded.network = network;
  return std::make_shared<const LoadedHead>(std::move(loaded));
}

class LanePlanTest : public ::testing::Test {
 protected:
  RowSlice AddHead(std::string_view config, Head::Kind kind = Head::Kind::kScene) {
    return AddHead(HeadOn(mn10_, config, kind));
  }
  RowSlice AddHead(const std::shared_ptr<const LoadedHead>& head) { return PlanHeads({&head, 1}, &plan_).at(0).slice; }

  const std::shared_ptr<const LoadedNetwork> mn10_ = Network("mn10_as");
  const std::shared_ptr<const LoadedNetwork> mn04_ = Network("mn04_as");
  LanePlan plan_;
};

TEST_F(LanePlanTest, PutsSceneHeadsOfANetworkIntoOneLane) {
  const Config& all = *FindConfig("mn10_all_b_mel_avgs");
  const Config& logits = *FindConfig("mn10_logits");
  const RowSlice first = AddHead(all.name);
  const RowSlice second = AddHead(logits.name);
  ASSERT_THAT(plan_.lanes(), SizeIs(1));
  EXPECT_EQ(first.lane, 0);
  EXPECT_EQ(first.offset, 0);
  EXPECT_EQ(first.size, all.embedding_size());
  EXPECT_EQ(second.lane, 0);
  EXPECT_EQ(second.offset, all.embedding_size());
  EXPECT_EQ(second.size, logits.embedding_size());
  EXPECT_EQ(plan_.row_size(0), all.embedding_size() + logits.embedding_size());
  const LaneRequest& lane = plan_.lanes()[0];
  EXPECT_EQ(lane.kind, LaneKind::kScene);
  EXPECT_EQ(lane.network, mn10_);
  EXPECT_THAT(lane.readouts, ElementsAre(all.readout, logits.readout));
  EXPECT_EQ(lane.min_samples, all.min_scene_samples());
}

TEST_F(LanePlanTest, ReadsOutOnceWhatSeveralHeadsRead) {
  const RowSlice logits = AddHead("mn10_logits");
  const RowSlice all = AddHead("mn10_all_b_mel_avgs");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(AddHead("mn10_all_b_mel_avgs").offset, all.offset);
    EXPECT_EQ(AddHead("mn10_logits").offset, logits.offset);
  }
  EXPECT_EQ(all.offset, logits.size);
  EXPECT_EQ(plan_.row_size(0), logits.size + all.size);
  EXPECT_THAT(plan_.lanes()[0].readouts, SizeIs(2));
}

TEST_F(LanePlanTest, PutsTimestampHeadsIntoALaneForEachLengthOfWindow) {
  // Of 160 ms, of 800 ms, and of 160 ms again.
  const Config* configs[] = {FindConfig("mn10_all_b_mel_avgs"), nullptr, FindConfig("mn10_logits")};
  for (const Config& config : Configs()) {
    if (config.network == mn10_->info && config.timestamp_window_samples > configs[0]->timestamp_window_samples) {
      configs[1] = &config;
    }
  }
  ASSERT_NE(configs[1], nullptr) << "no config of mn10_as has longer windows";
  std::vector<int> lanes;
  for (const Config* config : configs) lanes.push_back(AddHead(config->name, Head::Kind::kTimestamps).lane);
  EXPECT_THAT(lanes, ElementsAre(0, 1, 0));
  for (int i = 0; i < 2; ++i) {
    const LaneRequest& lane = plan_.lanes()[static_cast<size_t>(i)];
    EXPECT_EQ(lane.kind, LaneKind::kTimestamps);
    EXPECT_EQ(lane.timestamp_window_samples, configs[i]->timestamp_window_samples);
    EXPECT_EQ(lane.min_samples, configs[i]->min_timestamp_samples());
  }
  // A scene head of the same config is another matter.
  EXPECT_EQ(AddHead(configs[0]->name).lane, 2);
}

TEST_F(LanePlanTest, KeepsNetworksApart) {
  EXPECT_EQ(AddHead("mn10_all_b_mel_avgs").lane, 0);
  const RowSlice other = AddHead(HeadOn(mn04_, "mn04_all_b_mel_avgs", Head::Kind::kScene));
  EXPECT_EQ(other.lane, 1);
  EXPECT_EQ(other.offset, 0);
  EXPECT_EQ(plan_.lanes()[1].network, mn04_);
}

TEST_F(LanePlanTest, TellsOfHeadsInTheirOrder) {
  const auto first = HeadOn(mn10_, "mn10_logits", Head::Kind::kTimestamps);
  const auto second = HeadOn(mn04_, "mn04_all_b_mel_avgs", Head::Kind::kScene);
  const std::shared_ptr<const LoadedHead> heads[] = {second, first, second};
  const std::vector<PlannedHead> planned = PlanHeads(heads, &plan_);
  ASSERT_THAT(planned, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(planned[i].loaded, heads[i]);
  EXPECT_EQ(planned[0].slice.lane, 0);
  EXPECT_EQ(planned[1].slice.lane, 1);
  EXPECT_EQ(planned[2].slice.lane, 0);
}

TEST_F(LanePlanTest, TakesReadoutsOfNoConfig) {
  Readout logits;
  logits.features.Add(Feature::kLogits);
  const RowSlice embedding = AddHead("mn10_all_b_mel_avgs");
  const RowSlice tags = plan_.Add(LaneKind::kScene, mn10_, *FindConfig("mn10_all_b_mel_avgs"), logits);
  EXPECT_EQ(tags.size, kAudioSetClassCount);
  EXPECT_EQ(tags.offset, embedding.size);
}

TEST(RowSliceTest, IsAPartOfARow) {
  const std::vector<float> row = {0, 1, 2, 3, 4};
  EXPECT_THAT((RowSlice{.lane = 0, .offset = 1, .size = 3}.Of(row)), ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace hearwire
