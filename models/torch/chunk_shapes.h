// Which shapes chunks have: a closed set, so that what a device prepares for a shape is found again.
//
// cuDNN makes a plan for every convolution and every shape of its input. Clips come in any length and any number. Both
// are therefore rounded up, to few values:
//
//   frames per window   all numbers of four significant bits: 1 to 16, 18, 20, … 32, 36, 40, … 64, 72, … . The length
//                       of a scene of 10 s stands in the place of the next of them, so it is exact as well. At most a
//                       ninth of a window is padding.
//   windows per chunk   1, 2, 3, 4, 6, 8, 12, 16, 24, 32, … .
//
// Windows of different lengths may share a chunk. Padding beyond a window's end does not change its row.

#ifndef HEARWIRE_MODELS_TORCH_CHUNK_SHAPES_H_
#define HEARWIRE_MODELS_TORCH_CHUNK_SHAPES_H_

#include <cstdint>

#include "absl/types/span.h"
#include "models/torch/slot.h"

namespace hearwire {

struct ChunkPolicy {
  // Frames that run at once, padding included. A longer window runs alone.
  int max_frames = 4096;
  // Frame counts are rounded up, and windows of different lengths share chunks. Else a chunk holds windows of one
  // length, as long as they are.
  bool pad_windows = false;
  // Below this many frames a device waits for its launches, so one chunk that is half empty is quicker than two: it is
  // filled up whatever that wastes. A larger chunk wastes at most an eighth.
  int small_chunk_frames = 0;
};

// The smallest number of the set that is not below `windows`.
int RoundUpWindows(int windows);
// The largest number of the set that is not above `windows`, at least 1.
int RoundDownWindows(int windows);

// The smallest length of the set that is not below `frames`. scene_frames: of a scene of 10 s, in the set too.
int RoundUpFrames(int frames, int scene_frames);

// The next chunk of some windows: the first `windows` of them, in a chunk of `shape`.
struct ChunkCut {
  int windows;
  ChunkShape shape;
};

// lengths: of the windows that wait, in frames, longest first, at least one.
ChunkCut CutChunk(absl::Span<const int> lengths, int mels, int scene_frames, const ChunkPolicy& policy);

// How many shapes the chunks of a network can have when windows are padded and are no longer than a scene.
int64_t CountChunkShapes(int scene_frames, const ChunkPolicy& policy);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CHUNK_SHAPES_H_
