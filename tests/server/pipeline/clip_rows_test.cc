#include "server/pipeline/clip_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::IsEmpty;

TEST(ClipRowsTest, AveragesTheWindowsOfASceneHoweverTheyCome) {
  const std::vector<float> rows = {10, 20, 20, 40, 60, 90};  // 3 windows of 2 values.
  ClipRows at_once(CallKind::kScene, 2);
  EXPECT_THAT(at_once.Add(rows, true), ElementsAre(30, 50));

  ClipRows in_pieces(CallKind::kScene, 2);
  EXPECT_THAT(in_pieces.Add({10, 20}, false), IsEmpty());
  EXPECT_THAT(in_pieces.Add({20, 40, 60, 90}, true), ElementsAre(30, 50));
}

TEST(ClipRowsTest, SumsInDouble) {
  // In float, 2^24 + 1 + 1 + 1 stays 2^24.
  EXPECT_THAT(ClipRows(CallKind::kScene, 1).Add({16777216, 1, 1, 2}, true), ElementsAre(4194305));
}

TEST(ClipRowsTest, LeavesTheRowOfAnOnlyWindowAsItIs) {
  ClipRows rows(CallKind::kScene, 2);
  const absl::Span<const float> row = rows.Add({-0.0f, 7}, true);
  EXPECT_THAT(row, ElementsAre(0, 7));
  EXPECT_TRUE(std::signbit(row[0]));
}

TEST(ClipRowsTest, LeavesTimestampRowsAsTheyAre) {
  ClipRows rows(CallKind::kTimestamps, 1);
  EXPECT_THAT(rows.Add({1, 2}, false), ElementsAre(1, 2));
  EXPECT_THAT(rows.Add({3}, true), ElementsAre(3));
}

TEST(ClipRowsTest, MakesTagsTheSigmoidOfTheMeanLogits) {
  EXPECT_THAT(ClipRows(CallKind::kTags, 2).Add({-1, 100, 3, 100}, true),
              ElementsAre(FloatEq(1 / (1 + std::exp(-1.0f))), FloatEq(1)));
  EXPECT_THAT(ClipRows(CallKind::kTags, 2).Add({0, -200}, true), ElementsAre(FloatEq(0.5), FloatEq(0)));
}

}  // namespace
}  // namespace hearwire
