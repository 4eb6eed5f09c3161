#include "server/pipeline/row_assembly.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(AssembleRowsTest, AveragesTheWindowsOfEachSceneInOrder) {
  // Clips of 1, 3 and 1 windows, rows of 2 values.
  const CallResult result = AssembleRows(CallKind::kScene, {1, 2, 10, 20, 20, 40, 60, 90, 7, 8}, {1, 3, 1}, 2);
  EXPECT_THAT(result.rows, ElementsAre(1, 2, 30, 50, 7, 8));
  EXPECT_THAT(result.rows_per_clip, ElementsAre(1, 1, 1));
  EXPECT_EQ(result.row_size, 2);
}

TEST(AssembleRowsTest, SumsInDouble) {
  // In float, 2^24 + 1 + 1 + 1 stays 2^24.
  const CallResult result = AssembleRows(CallKind::kScene, {16777216, 1, 1, 2}, {4}, 1);
  EXPECT_THAT(result.rows, ElementsAre(4194305));
}

TEST(AssembleRowsTest, LeavesTimestampRowsAsTheyAre) {
  const CallResult result = AssembleRows(CallKind::kTimestamps, {1, 2, 3}, {2, 1}, 1);
  EXPECT_THAT(result.rows, ElementsAre(1, 2, 3));
  EXPECT_THAT(result.rows_per_clip, ElementsAre(2, 1));
}

TEST(AssembleRowsTest, MakesTagsTheSigmoidOfTheMeanLogits) {
  const CallResult result = AssembleRows(CallKind::kTags, {-1, 100, 3, 100, 0, -200}, {2, 1}, 2);
  EXPECT_THAT(result.rows, ElementsAre(FloatEq(1 / (1 + std::exp(-1.0f))), FloatEq(1), FloatEq(0.5), FloatEq(0)));
}

TEST(FirstClipNotFiniteTest, NamesTheClipThatHoldsTheValue) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(FirstClipNotFinite({1, 2, 3, 4}, {1, 3}, 1), std::nullopt);
  EXPECT_EQ(FirstClipNotFinite({1, 2, 3, nan}, {1, 3}, 1), 1);
  EXPECT_EQ(FirstClipNotFinite({1, 2, 3, 4, -infinity, nan}, {1, 1, 1}, 2), 2);
  EXPECT_EQ(FirstClipNotFinite({infinity, nan}, {1, 1}, 1), 0);
}

}  // namespace
}  // namespace hearwire
