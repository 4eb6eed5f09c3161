// An embedder over slots: cuts a batch into chunks, keeps the slots busy, and hands the rows back.

#ifndef HEARWIRE_MODELS_CHUNKS_CHUNK_EMBEDDER_H_
#define HEARWIRE_MODELS_CHUNKS_CHUNK_EMBEDDER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/chunks/chunk_shapes.h"
#include "models/chunks/column_plan.h"
#include "models/chunks/shared_frames.h"
#include "models/chunks/slot.h"
#include "models/configs/network_shape.h"
#include "models/embedder.h"

namespace hearwire {

class ChunkEmbedder final : public Embedder {
 public:
  // networks: by their index. slots: at least one. warn: takes a message when memory was too little; may be null.
  ChunkEmbedder(std::vector<ChunkNetwork> networks, std::vector<std::unique_ptr<Slot>> slots, const ChunkPolicy& policy,
                std::function<void(const std::string& message)> warn = nullptr);

  // Longest windows first, cut as the policy says. With two slots the next chunk is started before the last is waited
  // for, whatever its windows' lengths and readouts. A chunk for which the device has too little memory, when it is
  // started or when it is finished, runs again in halves, down to one window alone, before RESOURCE_EXHAUSTED is
  // returned; later chunks are no larger than what fitted. After UNAVAILABLE every call returns it again.
  absl::Status Embed(int network, absl::Span<const WindowRequest> batch) override;

  // Frames that run at once: the policy's, or fewer when memory was too little for them.
  int max_chunk_frames() const { return policy_.max_frames; }

 private:
  using Windows = absl::Span<const WindowRequest* const>;  // Longest first.

  // What a slot is busy with.
  struct Pending {
    Windows windows;  // Empty: the slot is free.
    ChunkShape shape = {};
    const ColumnPlan* plan = nullptr;
  };

  // Made once for chunks of the same readouts.
  struct Plan {
    int network;
    std::vector<Readout> readouts;
    ColumnPlan columns;
  };

  absl::Status EmbedSorted(int network, Windows all);
  ChunkCut Cut(int network, Windows waiting);
  // In the next slot, which is free.
  absl::Status StartChunk(int network, const ChunkShape& shape, Windows windows);
  const ColumnPlan* PlanFor(int network, Windows windows);
  // Writes the rows of the slot's chunk, if it has one. The slot is free then, whatever the status.
  absl::Status FinishSlot(size_t slot);
  // Chunks for which memory was too little go back to `waiting`.
  absl::Status FinishAll(std::vector<Windows>* waiting);
  bool IsIdle() const;
  // Waits for everything under way and drops its rows.
  void DropAll();

  const std::vector<ChunkNetwork> networks_;
  const std::vector<std::unique_ptr<Slot>> slots_;
  const std::function<void(const std::string&)> warn_;

  ChunkPolicy policy_;    // Its max_frames shrinks when memory is too little.
  int last_good_frames_;  // Its max_frames when a chunk last ran.
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<Pending> pending_;  // Per slot.
  size_t next_slot_ = 0;
  absl::Status lost_;

  // Reused from call to call for their memory.
  std::vector<const WindowRequest*> sorted_;
  std::vector<int> lengths_;
  std::vector<Readout> readouts_;
  SharedFrames frames_;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHUNKS_CHUNK_EMBEDDER_H_
