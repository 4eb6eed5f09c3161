#include "server/pipeline/window_cutter.h"

#include <gtest/gtest.h>

#include <vector>

#include "models/configs/config.h"

namespace hearwire {
namespace {

TEST(WindowCutterTest, SaysWithALanesLastWindowThatItHasEnded) {
  const Config& config = *FindConfig(kEmbeddedConfigName);
  const auto network = std::make_shared<const LoadedNetwork>(LoadedNetwork{.info = config.network});
  // The scene comes first, and is given while timestamps are not done.
  const std::vector<LaneRequest> lanes = {
      {.kind = LaneKind::kScene, .network = network},
      {.kind = LaneKind::kTimestamps, .network = network, .timestamp_window_samples = config.timestamp_window_samples},
  };
  for (const int64_t samples : {5000, 40000, 286400, 320000, 320001, 500000}) {
    WindowCutter cutter(lanes, {});
    ASSERT_TRUE(cutter.Append(std::vector<float>(static_cast<size_t>(samples), 0.1f)).ok());
    LaneWindows before(2);
    while (!cutter.is_waiting()) ASSERT_TRUE(cutter.Step(&before).ok());
    for (const LaneCut& lane : before) EXPECT_FALSE(lane.has_ended);
    ASSERT_TRUE(cutter.Finish().ok());
    std::vector<bool> has_ended(2);
    while (!cutter.is_waiting()) {
      LaneWindows step(2);
      ASSERT_TRUE(cutter.Step(&step).ok());
      for (size_t i = 0; i < step.size(); ++i) {
        EXPECT_FALSE(has_ended[i] && (step[i].has_ended || !step[i].windows.empty()));
        if (!step[i].has_ended) continue;
        EXPECT_FALSE(step[i].windows.empty()) << samples << " samples, lane " << i;
        has_ended[i] = true;
      }
    }
    EXPECT_TRUE(has_ended[0] && has_ended[1]);
  }
}

}  // namespace
}  // namespace hearwire
