// Which shapes chunks have: a closed set, so that what a device prepares for a shape is found again.
//
// LibTorch keeps the memory of maps for the next chunk of the shape, a graph is bound to a shape, and cuDNN, where it
// is used, makes a plan for every convolution and shape. Clips come in any length and any number. Both are therefore
// rounded up, to few values:
//
// - The windows of a chunk are a power of two, unless the policy says otherwise.
// - The frames of a window are any number up to 16. Beyond, they are twentieths of a scene of 10 s (20, 18, 16, 14, 13,
//   12, 11), and the same halved again and again. At most an eighth of a window is padding. Scenes of whole seconds
//   are exact, and so are windows of 160, 320, 640 and 1280 ms.
//
// Each chunk has costs of its own: launches on a GPU, calls of oneDNN on the CPU. While they outweigh the computing,
// one chunk that is half empty is quicker than two, and frames are free. So a small chunk is filled up whatever that
// wastes. Where its windows need padding anyway, they are padded to the next of a scene, its half, its quarter and so
// on: random lengths make few shapes. A larger chunk wastes at most an eighth.
//
// A network of width 1 has 583 shapes in chunks of up to 32768 frames. Timestamps and scenes of random lengths use 64
// of them.
//
// Windows of different lengths may share a chunk. Padding beyond a window's end does not change its row.

#ifndef HEARWIRE_MODELS_CHUNKS_CHUNK_SHAPES_H_
#define HEARWIRE_MODELS_CHUNKS_CHUNK_SHAPES_H_

#include <vector>

#include "absl/types/span.h"
#include "models/chunks/slot.h"
#include "models/configs/network_shape.h"

namespace hearwire {

// What the shapes of a network's chunks depend on.
struct ChunkNetwork {
  NetworkShape shape;
  int mels;
  int window_frames;  // Of a window of 160 ms.
  int scene_frames;   // Of a scene of 10 s.
};

struct ChunkPolicy {
  // Frames that run at once, padding included. A longer window runs alone.
  int max_frames = 4096;
  // Frame counts are rounded up, and windows of different lengths share chunks. Else a chunk holds windows of one
  // length, as long as they are.
  bool pad_windows = false;
  // A chunk has as many windows as it holds, else a power of two: for devices that prepare nothing for a shape.
  bool exact_windows = false;
  // The largest small chunk, in frames of 128 bands of a network of width 1. Other networks have larger or smaller
  // maps; their small chunks are smaller or larger in proportion.
  int small_chunk_frames = 0;
};

// The smallest power of two that is not below `windows`, and the largest that is not above it, at least 1.
int RoundUpWindows(int windows);
int RoundDownWindows(int windows);

// The smallest length of the set that is not below `frames`.
int RoundUpFrames(int frames, const ChunkNetwork& network);

// Frames of the network's largest small chunk.
int SmallChunkFrames(const ChunkNetwork& network, const ChunkPolicy& policy);

// The next chunk of some windows: the first `windows` of them, in a chunk of `shape`.
struct ChunkCut {
  int windows;
  ChunkShape shape;
};

// lengths: of the windows that wait, in frames, longest first, at least one.
ChunkCut CutChunk(absl::Span<const int> lengths, const ChunkNetwork& network, const ChunkPolicy& policy);

// All shapes of chunks of padded windows, none longer than a scene.
std::vector<ChunkShape> AllChunkShapes(const ChunkNetwork& network, const ChunkPolicy& policy);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHUNKS_CHUNK_SHAPES_H_
