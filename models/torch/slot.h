// One chunk on its way through a device. A chunk is windows of one network and of equal frame count that run at once.

#ifndef HEARWIRE_MODELS_TORCH_SLOT_H_
#define HEARWIRE_MODELS_TORCH_SLOT_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/torch/column_plan.h"

namespace hearwire {

struct ChunkShape {
  int windows;
  int frames;
  int mels;

  size_t values() const { return size_t{1} * windows * frames * mels; }
};

// A worker has one or several slots; while one computes, the next can be filled. A slot holds one chunk at a time:
// Input, Start, Finish. RESOURCE_EXHAUSTED from any of them: too little memory for this chunk, which was not computed,
// and the slot is free again. Other failures as those of Embedder::Embed. One thread at a time.
class Slot {
 public:
  virtual ~Slot() = default;

  // Where the spectrograms go: [windows, frames, mels]. Valid until Start returns.
  virtual absl::StatusOr<float*> Input(const ChunkShape& shape) = 0;

  // Starts the chunk whose spectrograms were written to Input.
  virtual absl::Status Start(int network, const ChunkShape& shape, const ColumnPlan& plan) = 0;

  // Waits for the chunk. The columns [windows, plan.width()] stay valid until the next Input.
  virtual absl::StatusOr<const float*> Finish() = 0;

  // Gives memory that is only kept for reuse back to the device. All slots of the worker are free.
  virtual void ReleaseMemory() = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_SLOT_H_
