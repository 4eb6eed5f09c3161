// One chunk on its way through a device. A chunk is windows of one network that run at once.

#ifndef HEARWIRE_MODELS_CHUNKS_SLOT_H_
#define HEARWIRE_MODELS_CHUNKS_SLOT_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/chunks/column_plan.h"

namespace hearwire {

struct ChunkShape {
  int windows;
  int frames;  // Of each window, padding included.
  int mels;

  friend bool operator==(const ChunkShape&, const ChunkShape&) = default;
};

// What a chunk holds.
struct Chunk {
  ChunkShape shape;
  // Frames that are sent to the device: those that windows share are sent once.
  int rows;
  // The length of the shortest window. Equal to shape.frames: no window is padded, and `lengths` is not read.
  int shortest;
};

// Where a chunk's input is written to. Everything is in memory of the host.
struct ChunkInput {
  float* rows;       // [rows, mels]
  int32_t* index;    // [windows, frames]: the row of each frame. Padding points at a row of zeros.
  int32_t* lengths;  // [windows]: frames of each window without padding.
};

// A worker has one or several slots; while one computes, the next can be filled. A slot holds one chunk at a time:
// Input, Start, Finish. RESOURCE_EXHAUSTED from any of them: too little memory for this chunk, which was not computed,
// and the slot is free again. Other failures as those of Embedder::Embed. One thread at a time.
class Slot {
 public:
  virtual ~Slot() = default;

  // Valid until Start returns.
  virtual absl::StatusOr<ChunkInput> Input(const Chunk& chunk) = 0;

  // Starts the chunk whose input was written to Input.
  virtual absl::Status Start(int network, const Chunk& chunk, const ColumnPlan& plan) = 0;

  // Waits for the chunk. The columns [windows, plan.width()] stay valid until the next Input.
  virtual absl::StatusOr<const float*> Finish() = 0;

  // Gives memory that is only kept for reuse back to the device. All slots of the worker are free.
  virtual void ReleaseMemory() = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHUNKS_SLOT_H_
