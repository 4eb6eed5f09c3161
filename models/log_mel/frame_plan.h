// Which frames a clip's windows need, each once, and where every window finds its own.

#ifndef HEARWIRE_MODELS_LOG_MEL_FRAME_PLAN_H_
#define HEARWIRE_MODELS_LOG_MEL_FRAME_PLAN_H_

#include <array>
#include <cstdint>
#include <vector>

namespace hearwire {

// Samples of a frame that its Hann window lets through: frame t of a window sees 400 samples before its centre t x hop
// and 400 from it on.
inline constexpr int kFrameSamples = 800;

// Windows of window_samples each, window_hop apart, from the start of a (padded) clip on.
struct WindowGrid {
  int64_t windows = 0;
  int64_t window_samples = 0;  // At least kMinWindowSamples.
  int64_t window_hop = 0;
  int frame_hop = 0;

  // Pre-emphasis takes one sample; centred frames start at every frame_hop of what is left.
  int64_t frames_per_window() const { return (window_samples - 1) / frame_hop + 1; }
};

// The reflection by 512 samples on both sides of a pre-emphasised window needs 513 of them.
inline constexpr int64_t kMinWindowSamples = 514;

// A frame to compute. Positions count pre-emphasised samples of the padded clip. What the frame sees outside
// [window_begin, window_end) is the reflection of what is inside.
struct FrameJob {
  int64_t first_sample = 0;  // Of kFrameSamples.
  int64_t window_begin = 0;
  int64_t window_end = 0;
};

struct FramePlan {
  // Where a window finds its frames: places in `jobs`. As Window's runs: own left edge, shared middle, own right edge.
  struct Run {
    int64_t first_job = 0;
    int job_count = 0;
  };
  using WindowRuns = std::array<Run, 3>;

  std::vector<FrameJob> jobs;
  std::vector<WindowRuns> windows;  // In time order.
};

// Frames that see only their window's inside are shared by all windows of which this is true. No frame is planned that
// no window needs, and none twice.
FramePlan PlanFrames(const WindowGrid& grid);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_FRAME_PLAN_H_
