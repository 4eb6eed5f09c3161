#include "models/log_mel/window_grid.h"

#include <algorithm>
#include <numeric>

namespace hearwire {
namespace {

constexpr int64_t kHalfFrame = kFrameSamples / 2;

}  // namespace

int64_t WindowGrid::window_count(int64_t samples) const {
  const int64_t last_begin = samples + padding - window_samples;
  return last_begin < -padding ? 0 : (last_begin + padding) / window_hop + 1;
}

int64_t WindowGrid::first_inner_frame() const {
  return std::min((kHalfFrame + frame_hop - 1) / frame_hop, frames_per_window());
}

int64_t WindowGrid::end_inner_frame() const {
  const int64_t first = first_inner_frame();
  const int64_t last_centre = window_samples - 1 - kHalfFrame;  // The frame ends where the window does.
  return last_centre < 0 ? first : std::clamp(last_centre / frame_hop + 1, first, frames_per_window());
}

int64_t WindowGrid::cycle() const { return frame_hop / std::gcd<int64_t>(window_hop, frame_hop); }

WindowGrid TimestampGrid(int window_samples, const MelSettings& mel) {
  return {.padding = window_samples / 2,
          .window_samples = window_samples,
          .window_hop = kTimestampHopSamples,
          .frame_hop = mel.hop_samples};
}

WindowGrid SceneGrid(int64_t samples, const MelSettings& mel) {
  if (samples <= kSceneWindowSamples) {
    return {.window_samples = samples, .window_hop = samples, .frame_hop = mel.hop_samples};
  }
  return {.padding = kSceneWindowSamples / 2,
          .window_samples = kSceneWindowSamples,
          .window_hop = kSceneHopSamples,
          .frame_hop = mel.hop_samples};
}

}  // namespace hearwire
