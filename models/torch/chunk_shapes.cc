#include "models/torch/chunk_shapes.h"

#include <algorithm>
#include <bit>

namespace hearwire {
namespace {

constexpr int kSignificantBits = 4;

// Of a chunk larger than a small one, at most 1 / kWasteDivisor is padding.
constexpr int64_t kWasteDivisor = 8;

int RoundUpToSignificantBits(int value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(static_cast<unsigned>(value))) - kSignificantBits);
  const int step = 1 << shift;
  return (value + step - 1) / step * step;
}

}  // namespace

int RoundDownWindows(int windows) {
  const int power = static_cast<int>(std::bit_floor(static_cast<unsigned>(std::max(1, windows))));
  return windows >= power + power / 2 ? power + power / 2 : power;
}

int RoundUpWindows(int windows) {
  const int below = RoundDownWindows(windows);
  if (below >= windows) return below;
  // From a power of two to one and a half of it, from there to the next power.
  return std::has_single_bit(static_cast<unsigned>(below)) ? below / 2 * 3 : below / 3 * 4;
}

int RoundUpFrames(int frames, int scene_frames) {
  const int rounded = RoundUpToSignificantBits(frames);
  return frames <= scene_frames ? std::min(rounded, scene_frames) : rounded;
}

ChunkCut CutChunk(absl::Span<const int> lengths, int mels, int scene_frames, const ChunkPolicy& policy) {
  const int longest = lengths.front();
  const int frames = policy.pad_windows ? RoundUpFrames(longest, scene_frames) : longest;
  const int max_windows = RoundDownWindows(policy.max_frames / frames);
  ChunkCut cut = {1, {1, frames, mels}};
  int64_t filled = longest;
  for (int windows = 2; windows <= std::min(max_windows, static_cast<int>(lengths.size())); ++windows) {
    const int length = lengths[windows - 1];
    // Much shorter windows are better off among themselves.
    if (policy.pad_windows ? length < (frames + 1) / 2 : length != longest) break;
    filled += length;
    const int rounded = RoundUpWindows(windows);
    const int64_t room = int64_t{1} * rounded * frames;
    if (room <= policy.small_chunk_frames || (room - filled) * kWasteDivisor <= room) {
      cut = {windows, {rounded, frames, mels}};
    }
  }
  return cut;
}

int64_t CountChunkShapes(int scene_frames, const ChunkPolicy& policy) {
  int64_t shapes = 0;
  for (int frames = 1; frames <= scene_frames; frames = RoundUpFrames(frames + 1, scene_frames)) {
    const int max_windows = RoundDownWindows(policy.max_frames / frames);
    for (int windows = 1; windows <= max_windows; windows = RoundUpWindows(windows + 1)) ++shapes;
    if (frames == scene_frames) break;
  }
  return shapes;
}

}  // namespace hearwire
