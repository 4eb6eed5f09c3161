// Where windows lie in a clip, and which of their frames they share.

#ifndef HEARWIRE_MODELS_LOG_MEL_WINDOW_GRID_H_
#define HEARWIRE_MODELS_LOG_MEL_WINDOW_GRID_H_

#include <cstdint>

#include "models/configs/config.h"

namespace hearwire {

// Samples of a frame that its Hann window lets through: frame t of a window sees 400 samples before its centre t x hop
// and 400 from it on.
inline constexpr int kFrameSamples = 800;

// The reflection by 512 samples on both sides of a pre-emphasised window needs 513 of them.
inline constexpr int64_t kMinWindowSamples = 514;

// Windows of window_samples each, window_hop apart. Positions count the clip's samples; those before the first (below
// 0) and behind the last are the clip's reflection.
struct WindowGrid {
  int64_t padding = 0;         // Window 0 begins at -padding.
  int64_t window_samples = 0;  // At least kMinWindowSamples.
  int64_t window_hop = 0;
  int frame_hop = 0;

  // Of a clip of so many samples.
  int64_t window_count(int64_t samples) const;

  int64_t begin(int64_t window) const { return window * window_hop - padding; }
  int64_t end(int64_t window) const { return begin(window) + window_samples; }

  // Pre-emphasis takes one sample; centred frames start at every frame_hop of what is left.
  int64_t frames_per_window() const { return (window_samples - 1) / frame_hop + 1; }

  // A window's inner frames, from the first to the one before the end: those that see no reflection at the window's
  // edges. Other windows whose frames lie at the same instants see the same.
  int64_t first_inner_frame() const;
  int64_t end_inner_frame() const;

  // Every cycle-th window has its frames at the instants of the one before, frames_per_cycle frames later.
  int64_t cycle() const;
  int64_t frames_per_cycle() const { return cycle() * window_hop / frame_hop; }
};

// Windows of window_samples every 50 ms, window i centred on i x 50 ms.
WindowGrid TimestampGrid(int window_samples, const MelSettings& mel);

// One window of a scene of up to 10 s; of a longer one windows of 10 s every 2.5 s, window i centred on i x 2.5 s.
WindowGrid SceneGrid(int64_t samples, const MelSettings& mel);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_WINDOW_GRID_H_
