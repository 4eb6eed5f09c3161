#include "models/configs/network_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace hearwire {
namespace {

std::vector<int> OutputChannels(const NetworkShape& shape) {
  std::vector<int> channels;
  for (const BlockShape& block : shape.blocks) channels.push_back(block.out_channels);
  return channels;
}

TEST(NetworkShapeTest, IsMobileNetV3LargeAtWidthOne) {
  const NetworkShape shape = MakeNetworkShape(1.0);
  EXPECT_EQ(shape.stem_channels, 16);
  EXPECT_THAT(OutputChannels(shape),
              testing::ElementsAre(16, 24, 24, 40, 40, 40, 80, 80, 80, 80, 112, 112, 160, 160, 160));
  EXPECT_EQ(shape.last_channels, 960);
  EXPECT_EQ(shape.hidden_channels, 1280);
  const BlockShape& block5 = shape.blocks[4];
  EXPECT_EQ(block5.expanded_channels, 120);
  EXPECT_EQ(block5.kernel, 5);
  EXPECT_EQ(block5.squeeze_channels, 32);
  EXPECT_FALSE(block5.hardswish);
  EXPECT_TRUE(block5.has_residual());
  EXPECT_FALSE(shape.blocks[0].has_expansion());
  EXPECT_FALSE(shape.blocks[12].has_residual());
}

TEST(NetworkShapeTest, RoundsChannelsToMultiplesOfEightAtWidthOneTenth) {
  const NetworkShape shape = MakeNetworkShape(0.1);
  EXPECT_EQ(shape.stem_channels, 8);
  EXPECT_THAT(OutputChannels(shape), testing::ElementsAre(8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 16));
  EXPECT_FALSE(shape.blocks[3].has_expansion());
  EXPECT_EQ(shape.blocks[10].expanded_channels, 48);
  EXPECT_EQ(shape.blocks[10].squeeze_channels, 16);
  EXPECT_EQ(shape.last_channels, 96);
  EXPECT_EQ(shape.hidden_channels, 128);
}

TEST(NetworkShapeTest, NeverRoundsBelowNineTenths) {
  // 16 x 0.7 = 11.2 is nearest to 8, which is less than 10.08.
  EXPECT_EQ(MakeNetworkShape(0.7).stem_channels, 16);
}

TEST(NetworkShapeTest, DiffersInTheLastConvolutionBetweenAnyTwoWidths) {
  std::set<int> last_channels;
  for (int tenths = 1; tenths <= 40; ++tenths) last_channels.insert(MakeNetworkShape(tenths / 10.0).last_channels);
  EXPECT_EQ(last_channels.size(), 40u);
}

TEST(NetworkShapeTest, HalvesTheMapAtEveryStrideRoundingUp) {
  EXPECT_EQ(BlockOutputSize(0, 128), 64);
  EXPECT_EQ(BlockOutputSize(1, 128), 64);
  EXPECT_EQ(BlockOutputSize(2, 128), 32);
  EXPECT_EQ(BlockOutputSize(5, 128), 16);
  EXPECT_EQ(BlockOutputSize(11, 128), 8);
  EXPECT_EQ(BlockOutputSize(15, 128), 4);
  EXPECT_EQ(BlockOutputSize(0, 17), 9);
  EXPECT_EQ(BlockOutputSize(15, 17), 1);
  EXPECT_EQ(BlockOutputSize(15, 33), 2);
}

TEST(NetworkShapeTest, CountsTheValuesOfEveryFeature) {
  const NetworkShape shape = MakeNetworkShape(1.0);
  EXPECT_EQ(FeatureSize(shape, 40, Feature::kMelAvgs, Pooling::kCatAvgMaxCh), 40);
  EXPECT_EQ(FeatureSize(shape, 128, Feature::kClf1, Pooling::kAvgCh), 960);
  EXPECT_EQ(FeatureSize(shape, 128, Feature::kClf2, Pooling::kAvgTime), 1280);
  EXPECT_EQ(FeatureSize(shape, 128, Feature::kLogits, Pooling::kAvgCh), 527);
  EXPECT_EQ(FeatureSize(shape, 128, Se(15), Pooling::kCatAvgMaxCh), 240);
  EXPECT_EQ(FeatureSize(shape, 128, Block(0), Pooling::kMaxCh), 16);
  EXPECT_EQ(FeatureSize(shape, 128, Block(11), Pooling::kAddAvgMaxCh), 112);
  EXPECT_EQ(FeatureSize(shape, 128, Block(11), Pooling::kCatAvgMaxCh), 224);
  EXPECT_EQ(FeatureSize(shape, 128, Block(11), Pooling::kAvgTime), 112 * 8);
  EXPECT_EQ(FeatureSize(shape, 128, Block(11), Pooling::kAvgMaxTime), 112 * 8);
}

TEST(NetworkShapeTest, SumsTheFeaturesOfARow) {
  Readout readout;
  readout.features.Add(Feature::kMelAvgs);
  readout.features.Add(Feature::kLogits);
  readout.features.Add(Se(5));
  readout.features.Add(Block(5));
  readout.pooling = Pooling::kCatAvgMaxCh;
  EXPECT_EQ(ReadoutSize(MakeNetworkShape(1.0), 64, readout), 64 + 527 + 32 + 80);
}

TEST(NetworkShapeTest, SumsTheReadoutsOfARow) {
  const NetworkShape shape = MakeNetworkShape(1.0);
  Readout logits, blocks;
  logits.features.Add(Feature::kLogits);
  blocks.features.Add(Block(11));
  blocks.pooling = Pooling::kCatAvgMaxCh;
  EXPECT_EQ(RowSize(shape, 128, {logits}), 527);
  EXPECT_EQ(RowSize(shape, 128, {logits, blocks, logits}), 527 + 224 + 527);
}

}  // namespace
}  // namespace hearwire
