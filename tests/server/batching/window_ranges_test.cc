#include "server/batching/window_ranges.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

TEST(WindowRangesTest, CountsTheTimeOfABatchByFrames) {
  Batch batch;
  batch.frames = 400;
  BatchTimes small, large;
  AddTimes({.first = 0, .count = 1, .frames = 100}, batch, absl::Milliseconds(40), &small);
  AddTimes({.first = 0, .count = 1, .frames = 300}, batch, absl::Milliseconds(40), &large);
  EXPECT_EQ(small.inference, absl::Milliseconds(40));
  EXPECT_EQ(small.share, absl::Milliseconds(10));
  EXPECT_EQ(small.share + large.share, absl::Milliseconds(40)) << "nothing is counted twice or not at all";
  AddTimes({.first = 1, .count = 1, .frames = 400}, batch, absl::Milliseconds(20), &small);
  EXPECT_EQ(small.share, absl::Milliseconds(30));
}

}  // namespace
}  // namespace hearwire
