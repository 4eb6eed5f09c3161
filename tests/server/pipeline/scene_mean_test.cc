#include "server/pipeline/scene_mean.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;

TEST(SceneMeanTest, AveragesTheWindowsHoweverTheyCome) {
  const std::vector<float> rows = {10, 20, 20, 40, 60, 90};  // 3 windows of 2 values.
  SceneMean at_once;
  at_once.Add(rows, 2);
  EXPECT_THAT(at_once.Mean(), ElementsAre(30, 50));

  SceneMean in_pieces;
  in_pieces.Add({10, 20}, 2);
  in_pieces.Add({20, 40, 60, 90}, 2);
  in_pieces.Add({}, 2);
  EXPECT_THAT(in_pieces.Mean(), ElementsAre(30, 50));
}

TEST(SceneMeanTest, SumsInDouble) {
  // In float, 2^24 + 1 + 1 + 1 stays 2^24.
  SceneMean mean;
  mean.Add({16777216, 1, 1, 2}, 1);
  EXPECT_THAT(mean.Mean(), ElementsAre(4194305));
}

TEST(SceneMeanTest, LeavesTheRowOfAnOnlyWindowAsItIs) {
  SceneMean mean;
  mean.Add({-0.0f, 7}, 2);
  EXPECT_THAT(mean.Mean(), ElementsAre(0, 7));
  EXPECT_TRUE(std::signbit(mean.Mean()[0]));
}

}  // namespace
}  // namespace hearwire
