#include "models/chunks/column_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace hearwire {
namespace {

using ::testing::ElementsAreArray;
using ::testing::SizeIs;

constexpr int kMels = 128;
const NetworkShape kShape = MakeNetworkShape(0.1);

Readout MakeReadout(std::initializer_list<Feature> features, Pooling pooling) {
  Readout readout;
  readout.pooling = pooling;
  for (const Feature feature : features) readout.features.Add(feature);
  return readout;
}

// Columns that hold their own place.
std::vector<float> Numbered(const ColumnPlan& plan) {
  std::vector<float> values(plan.width());
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

std::vector<float> Row(const ColumnPlan& plan, const Readout& readout) {
  std::vector<float> row(ReadoutSize(kShape, kMels, readout), -1.0f);
  plan.WriteRow(readout, Numbered(plan).data(), row.data());
  return row;
}

TEST(ColumnPlanTest, ReadsSharedPartsOnce) {
  const std::vector<Readout> readouts = {
      MakeReadout({Block(5)}, Pooling::kAvgCh), MakeReadout({Block(5)}, Pooling::kMaxCh),
      MakeReadout({Block(5)}, Pooling::kAddAvgMaxCh), MakeReadout({Block(5), Feature::kClf1}, Pooling::kCatAvgMaxCh)};
  const ColumnPlan plan(kShape, kMels, readouts);
  EXPECT_THAT(plan.columns(), SizeIs(3));  // Mean and maximum of b5, clf1.
  EXPECT_EQ(plan.width(), 2 * kShape.blocks[4].out_channels + kShape.last_channels);
}

TEST(ColumnPlanTest, KnowsWhatAllReadoutsNeed) {
  const std::vector<Readout> readouts = {MakeReadout({Feature::kMelAvgs, Se(5)}, Pooling::kAvgCh),
                                         MakeReadout({Block(3)}, Pooling::kMaxCh)};
  const ColumnPlan plan(kShape, kMels, readouts);
  EXPECT_EQ(plan.features().LastBlock(), 5);
  EXPECT_FALSE(plan.features().NeedsLastConvolution());
}

TEST(ColumnPlanTest, ConcatenatesInTheOrderOfTheFeatures) {
  const Readout readout = MakeReadout({Block(1), Feature::kMelAvgs}, Pooling::kAvgCh);
  const ColumnPlan plan(kShape, kMels, {MakeReadout({Block(1)}, Pooling::kAvgCh), readout});
  const std::vector<float> columns = Numbered(plan);
  // b1 was planned first; mel_avgs comes first all the same.
  const int b1_size = kShape.blocks[0].out_channels;
  std::vector<float> expected(columns.begin() + b1_size, columns.end());
  expected.insert(expected.end(), columns.begin(), columns.begin() + b1_size);
  EXPECT_THAT(Row(plan, readout), ElementsAreArray(expected));
}

TEST(ColumnPlanTest, AddsMeanAndMaximum) {
  const Readout readout = MakeReadout({Block(1)}, Pooling::kAddAvgMaxCh);
  const ColumnPlan plan(kShape, kMels, {readout});
  const int size = kShape.blocks[0].out_channels;
  std::vector<float> expected(size);
  for (int i = 0; i < size; ++i) expected[i] = i + (size + i);
  EXPECT_THAT(Row(plan, readout), ElementsAreArray(expected));
}

TEST(ColumnPlanTest, PutsTheMaximumBehindTheMeanBlockByBlock) {
  const Readout readout = MakeReadout({Block(1), Block(2)}, Pooling::kCatAvgMaxCh);
  const ColumnPlan plan(kShape, kMels, {MakeReadout({Block(2)}, Pooling::kMaxCh), readout});
  const int size = kShape.blocks[0].out_channels;  // As block 2's.
  ASSERT_EQ(size, kShape.blocks[1].out_channels);
  std::vector<float> expected;
  for (const int column : {1, 2, 3, 0}) {
    for (int i = 0; i < size; ++i) expected.push_back(column * size + i);
  }
  EXPECT_THAT(Row(plan, readout), ElementsAreArray(expected));
}

TEST(ColumnPlanTest, KeepsTheBandsWhenPoolingOverTime) {
  const Readout readout = MakeReadout({Block(1)}, Pooling::kAvgMaxTime);
  const ColumnPlan plan(kShape, kMels, {readout});
  const int size = kShape.blocks[0].out_channels * kMels / 2;
  EXPECT_EQ(plan.width(), 2 * size);
  EXPECT_THAT(Row(plan, readout), SizeIs(size));
}

}  // namespace
}  // namespace hearwire
