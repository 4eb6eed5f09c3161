#include "models/chunks/chunk_shapes.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

namespace hearwire {
namespace {

constexpr int kMaxExactFrames = 16;
constexpr int kParts[] = {11, 12, 13, 14, 16, 18, 20};  // Twentieths of a scene.
constexpr int kWindowLengths[] = {1, 2, 4, 8};          // Times 160 ms.

// Of a chunk larger than a small one, at most 1 / kWasteDivisor is padding.
constexpr int64_t kWasteDivisor = 8;

int64_t DivideUp(int64_t value, int64_t by) { return (value + by - 1) / by; }

// A scene, halved as often as it stays as long as `frames`; beyond a scene, doubled until it is.
struct Halves {
  Halves(int frames, int scene_frames) : scenes(scene_frames) {
    while (scenes < frames) scenes *= 2;
    while (divisor < scenes && DivideUp(scenes, 2 * divisor) >= frames) divisor *= 2;
  }
  // Twentieths of it, rounded up.
  int Part(int twentieths) const { return static_cast<int>(DivideUp(twentieths * scenes, kTwentieths * divisor)); }

  static constexpr int kTwentieths = 20;
  int64_t scenes;
  int64_t divisor = 1;
};

// Values of all maps of a network, for one frame.
double ValuesPerFrame(const NetworkShape& shape, int mels) {
  double frames = 0.5;  // Columns of the map, per frame of the spectrogram.
  double bands = 0.5 * mels;
  double values = shape.stem_channels * frames * bands;
  for (const BlockShape& block : shape.blocks) {
    if (block.has_expansion()) values += block.expanded_channels * frames * bands;
    frames /= block.stride;
    bands /= block.stride;
    values += (block.expanded_channels + block.out_channels) * frames * bands;
  }
  return values + shape.last_channels * frames * bands;
}

}  // namespace

int RoundUpWindows(int windows) { return static_cast<int>(std::bit_ceil(static_cast<unsigned>(windows))); }

int RoundDownWindows(int windows) {
  return static_cast<int>(std::bit_floor(static_cast<unsigned>(std::max(1, windows))));
}

int RoundUpFrames(int frames, const ChunkNetwork& network) {
  if (frames <= kMaxExactFrames) return frames;
  const Halves halves(frames, network.scene_frames);
  int rounded = std::numeric_limits<int>::max();
  const auto offer = [&](int length) {
    if (length >= frames) rounded = std::min(rounded, length);
  };
  for (const int part : kParts) offer(halves.Part(part));
  for (const int times : kWindowLengths) offer(times * network.window_frames);
  return rounded;
}

int SmallChunkFrames(const ChunkNetwork& network, const ChunkPolicy& policy) {
  static const double mn10 = ValuesPerFrame(MakeNetworkShape(1.0), 128);
  const double frames = policy.small_chunk_frames * mn10 / ValuesPerFrame(network.shape, network.mels);
  return static_cast<int>(std::min<double>(frames, std::numeric_limits<int>::max()));
}

ChunkCut CutChunk(absl::Span<const int> lengths, const ChunkNetwork& network, const ChunkPolicy& policy) {
  const int small_frames = SmallChunkFrames(network, policy);
  const int longest = lengths.front();
  const int rounded = policy.pad_windows ? RoundUpFrames(longest, network) : longest;
  const int halved = Halves(longest, network.scene_frames).Part(Halves::kTwentieths);
  ChunkCut cut = {};
  int64_t filled = 0;
  for (int taken = 1; taken <= static_cast<int>(lengths.size()); ++taken) {
    const int length = lengths[taken - 1];
    // Much shorter windows are better off among themselves.
    if (policy.pad_windows ? 2 * length < longest : length != longest) break;
    filled += length;
    const int windows = policy.exact_windows ? taken : RoundUpWindows(taken);
    const bool exact = length == rounded;  // And all before it.
    int frames = rounded;
    int64_t room = int64_t{1} * windows * frames;
    if (policy.pad_windows && !exact && int64_t{1} * windows * halved <= std::min(small_frames, policy.max_frames)) {
      frames = halved;
      room = int64_t{1} * windows * frames;
    }
    if (taken > 1 && room > policy.max_frames) break;
    if (taken == 1 || room <= small_frames || (room - filled) * kWasteDivisor <= room) {
      cut = {taken, {windows, frames, network.mels}};
    }
  }
  return cut;
}

std::vector<ChunkShape> AllChunkShapes(const ChunkNetwork& network, const ChunkPolicy& policy) {
  std::vector<ChunkShape> shapes;
  const auto add = [&](int frames) {
    const int most = RoundDownWindows(policy.max_frames / frames);
    for (int windows = 1; windows <= most; windows *= 2) shapes.push_back({windows, frames, network.mels});
  };
  for (int frames = 1; frames < network.scene_frames; frames = RoundUpFrames(frames + 1, network)) add(frames);
  add(network.scene_frames);
  return shapes;
}

}  // namespace hearwire
