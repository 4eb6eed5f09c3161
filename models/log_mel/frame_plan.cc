#include "models/log_mel/frame_plan.h"

#include <algorithm>
#include <numeric>

namespace hearwire {
namespace {

constexpr int64_t kHalfFrame = kFrameSamples / 2;

// The frames of a window, by their place in it: [0, first_inner) and [end_inner, frames) see a reflection.
struct InnerFrames {
  int64_t first = 0;
  int64_t end = 0;
};

InnerFrames FindInnerFrames(const WindowGrid& grid) {
  const int64_t frames = grid.frames_per_window();
  const int64_t last_centre = grid.window_samples - 1 - kHalfFrame;  // The frame ends where the window does.
  InnerFrames inner;
  inner.first = std::min((kHalfFrame + grid.frame_hop - 1) / grid.frame_hop, frames);
  inner.end = last_centre < 0 ? inner.first : std::clamp(last_centre / grid.frame_hop + 1, inner.first, frames);
  return inner;
}

}  // namespace

FramePlan PlanFrames(const WindowGrid& grid) {
  const InnerFrames inner = FindInnerFrames(grid);
  FramePlan plan;
  plan.windows.resize(static_cast<size_t>(grid.windows));
  auto add_job = [&](int64_t window, int64_t frame) {
    const int64_t begin = window * grid.window_hop;
    plan.jobs.push_back({.first_sample = begin + frame * grid.frame_hop - kHalfFrame,
                         .window_begin = begin,
                         .window_end = begin + grid.window_samples - 1});
  };
  auto add_edge = [&](int64_t window, int64_t first, int64_t end) {
    const FramePlan::Run run{static_cast<int64_t>(plan.jobs.size()), static_cast<int>(end - first)};
    for (int64_t frame = first; frame < end; ++frame) add_job(window, frame);
    return run;
  };

  // Windows whose starts differ by whole frames share their inner frames. Every cycle-th window does.
  const int64_t cycle = grid.frame_hop / std::gcd<int64_t>(grid.window_hop, grid.frame_hop);
  const int64_t frames_per_cycle = cycle * grid.window_hop / grid.frame_hop;
  const int64_t inner_count = inner.end - inner.first;
  const int64_t kept =
      std::max<int64_t>(0, inner_count - frames_per_cycle);  // Of the frames, in the cycle's next window.
  for (int64_t start = 0; start < std::min(cycle, grid.windows); ++start) {
    for (int64_t window = start; window < grid.windows; window += cycle) {
      const int64_t shared = window == start ? 0 : kept;
      plan.windows[window][1] = {static_cast<int64_t>(plan.jobs.size()) - shared, static_cast<int>(inner_count)};
      for (int64_t frame = inner.first + shared; frame < inner.end; ++frame) add_job(window, frame);
    }
  }
  for (int64_t window = 0; window < grid.windows; ++window) {
    plan.windows[window][0] = add_edge(window, 0, inner.first);
    plan.windows[window][2] = add_edge(window, inner.end, grid.frames_per_window());
  }
  return plan;
}

}  // namespace hearwire
