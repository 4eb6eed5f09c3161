// An embedder over slots: cuts a batch into chunks of a few sizes, and hands the rows back.

#ifndef HEARWIRE_MODELS_TORCH_CHUNK_EMBEDDER_H_
#define HEARWIRE_MODELS_TORCH_CHUNK_EMBEDDER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/configs/network_shape.h"
#include "models/embedder.h"
#include "models/torch/column_plan.h"
#include "models/torch/slot.h"

namespace hearwire {

// Windows of up to max_chunk_frames frames together run at once, a longer one alone. Windows per chunk: a power of two.
int MaxChunkWindows(int frames_per_window, int max_chunk_frames);

// The number of windows that a chunk of `windows` is filled up to, with zeros: the next power of two. Few sizes, so
// that kernels made for a size are found again.
int PaddedChunkWindows(int windows);

class ChunkEmbedder final : public Embedder {
 public:
  struct Network {
    NetworkShape shape;
    int mels;
  };
  // networks: by their index. slots: at least one. warn: takes a message when memory was too little; may be null.
  ChunkEmbedder(std::vector<Network> networks, std::vector<std::unique_ptr<Slot>> slots, int max_chunk_frames,
                std::function<void(const std::string& message)> warn = nullptr);

  // Windows of equal frame count run together. A chunk for which the device has too little memory, when it is started
  // or when it is finished, runs again in halves, down to one window alone, before RESOURCE_EXHAUSTED is returned;
  // later chunks are no larger than what fitted. After UNAVAILABLE every call returns it again.
  absl::Status Embed(int network, absl::Span<const WindowRequest> batch) override;

 private:
  using Group = std::vector<const WindowRequest*>;  // Of equal frame count.
  using Windows = absl::Span<const WindowRequest* const>;

  // What a slot is busy with.
  struct Pending {
    Windows windows;  // Empty: the slot is free.
    const ColumnPlan* plan = nullptr;
  };

  absl::Status EmbedGroup(int network, const Group& group);
  // In the next slot, which is free.
  absl::Status StartChunk(int network, const ColumnPlan& plan, Windows windows);
  // Writes the rows of the slot's chunk, if it has one. The slot is free then, whatever the status.
  absl::Status FinishSlot(size_t slot);
  // Chunks for which memory was too little go back to `waiting`.
  absl::Status FinishAll(std::vector<Windows>* waiting);
  bool IsIdle() const;
  // Waits for everything under way and drops its rows.
  void DropAll();

  const std::vector<Network> networks_;
  const std::vector<std::unique_ptr<Slot>> slots_;
  const std::function<void(const std::string&)> warn_;

  int max_chunk_frames_;
  std::vector<Pending> pending_;  // Per slot.
  size_t next_slot_ = 0;
  absl::Status lost_;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CHUNK_EMBEDDER_H_
