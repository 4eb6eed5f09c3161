#include "models/log_mel/frame_plan.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <tuple>
#include <vector>

namespace hearwire {
namespace {

// The frames of a window, through its runs.
std::vector<FrameJob> JobsOf(const FramePlan& plan, int64_t window) {
  std::vector<FrameJob> jobs;
  for (const FramePlan::Run& run : plan.windows[window]) {
    for (int i = 0; i < run.job_count; ++i) jobs.push_back(plan.jobs.at(run.first_job + i));
  }
  return jobs;
}

bool SeesReflection(const FrameJob& job) {
  return job.first_sample < job.window_begin || job.first_sample + kFrameSamples > job.window_end;
}

class FramePlanTest : public ::testing::TestWithParam<WindowGrid> {};

TEST_P(FramePlanTest, GivesEveryWindowItsFramesInOrder) {
  const WindowGrid& grid = GetParam();
  const FramePlan plan = PlanFrames(grid);
  ASSERT_EQ(plan.windows.size(), grid.windows);
  for (int64_t window = 0; window < grid.windows; ++window) {
    const std::vector<FrameJob> jobs = JobsOf(plan, window);
    ASSERT_EQ(jobs.size(), grid.frames_per_window());
    const int64_t begin = window * grid.window_hop;
    for (size_t frame = 0; frame < jobs.size(); ++frame) {
      EXPECT_EQ(jobs[frame].first_sample, begin + static_cast<int64_t>(frame) * grid.frame_hop - kFrameSamples / 2);
      const bool leaves_window = jobs[frame].first_sample < begin ||
                                 jobs[frame].first_sample + kFrameSamples > begin + grid.window_samples - 1;
      EXPECT_EQ(SeesReflection(jobs[frame]), leaves_window);
      if (leaves_window) {
        EXPECT_EQ(jobs[frame].window_begin, begin);
        EXPECT_EQ(jobs[frame].window_end, begin + grid.window_samples - 1);
      }
    }
  }
}

TEST_P(FramePlanTest, PlansNoFrameTwiceAndNoneInVain) {
  const FramePlan plan = PlanFrames(GetParam());
  std::set<std::tuple<int64_t, int64_t>> seen;
  for (const FrameJob& job : plan.jobs) {
    const int64_t owner = SeesReflection(job) ? job.window_begin : -1;
    EXPECT_TRUE(seen.emplace(job.first_sample, owner).second) << job.first_sample;
  }
  std::vector<bool> used(plan.jobs.size());
  for (const FramePlan::WindowRuns& runs : plan.windows) {
    for (const FramePlan::Run& run : runs) {
      for (int i = 0; i < run.job_count; ++i) used[run.first_job + i] = true;
    }
  }
  EXPECT_EQ(std::count(used.begin(), used.end(), false), 0);
}

std::vector<WindowGrid> Grids() {
  std::vector<WindowGrid> grids;
  for (const int hop : {160, 320, 480, 640, 800}) {
    for (const int64_t window : {514, 1201, 5120, 20480, 40960}) grids.push_back({23, window, 1600, hop});
    grids.push_back({1, 514, 514, hop});
    grids.push_back({1, 41601, 41601, hop});
    grids.push_back({5, 320000, 80000, hop});
  }
  return grids;
}
INSTANTIATE_TEST_SUITE_P(Grids, FramePlanTest, ::testing::ValuesIn(Grids()), [](const auto& info) {
  const WindowGrid& grid = info.param;
  return std::to_string(grid.windows) + "x" + std::to_string(grid.window_samples) + "hop" +
         std::to_string(grid.frame_hop);
});

TEST(FramePlanSharingTest, SharesThirteenOfSixteenFramesAtHop320) {
  // 201 windows of 160 ms every 50 ms: 3 edge frames each, and one run of inner frames.
  const FramePlan plan = PlanFrames({201, 5120, 1600, 320});
  EXPECT_EQ(plan.jobs.size(), 201 * 3 + 200 * 5 + 13);
}

TEST(FramePlanSharingTest, SharesTwentySevenOfThirtyTwoFramesAtHop160) {
  EXPECT_EQ(PlanFrames({201, 5120, 1600, 160}).jobs.size(), 201 * 5 + 200 * 10 + 27);
}

}  // namespace
}  // namespace hearwire
