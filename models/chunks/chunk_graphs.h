// Which chunks are recorded once as a graph of launches, and replayed from then on.
//
// A forward pass is over a hundred launches, and sending them one by one takes a GPU's host longer than a small chunk
// computes. A graph sends them at once. It is bound to one shape and to fixed addresses, and it holds memory, so only
// chunks that come again and again get one.

#ifndef HEARWIRE_MODELS_CHUNKS_CHUNK_GRAPHS_H_
#define HEARWIRE_MODELS_CHUNKS_CHUNK_GRAPHS_H_

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "models/chunks/column_plan.h"
#include "models/chunks/slot.h"

namespace hearwire {

// What was recorded. Destroyed only when it does not run.
class LaunchGraph {
 public:
  virtual ~LaunchGraph() = default;

  // Sends all of it to the device, in order with what else was sent. Throws.
  virtual void Launch() = 0;
};

// Of one slot. Knows no CUDA. One thread at a time.
class ChunkGraphs {
 public:
  // Records what `work` launches, without running it. Throws where that cannot be recorded, or what `work` throws;
  // nothing is being recorded then.
  using Record = std::function<std::unique_ptr<LaunchGraph>(const std::function<void()>& work)>;

  // A chunk runs so often before it is recorded: what it needs is prepared then, and it is likely to come again.
  static constexpr int kRunsBefore = 2;
  static constexpr size_t kMaxGraphs = 8;
  // A graph that was used less than so many chunks ago keeps its place.
  static constexpr int64_t kKeptChunks = 64;
  static constexpr size_t kMaxKnown = 256;  // Chunks that are counted.

  // warn: takes a message, once, when a chunk could not be recorded; none is from then on. May be null.
  ChunkGraphs(Record record, std::function<void(const std::string& message)> warn);

  // Runs `work`, or the graph of it. All chunks of one network, shape and columns do the same work.
  void Run(int network, const ChunkShape& shape, absl::Span<const Column> columns, const std::function<void()>& work);

  // Forgets all graphs: their memory is wanted, or the addresses that they are bound to change. Nothing runs.
  void Clear() { known_.clear(); }

  size_t graphs() const;

 private:
  struct Known {
    int network;
    ChunkShape shape;
    std::vector<Column> columns;
    int runs;
    int64_t last_use;  // In chunks.
    std::unique_ptr<LaunchGraph> graph;
  };

  // Moves it to the front.
  Known& Find(int network, const ChunkShape& shape, absl::Span<const Column> columns);
  // Whether there is room for another graph; evicts one that was not used for long.
  bool MakeRoom();

  const Record record_;
  const std::function<void(const std::string&)> warn_;
  std::list<Known> known_;  // The one used last first.
  int64_t chunks_ = 0;
  bool given_up_ = false;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHUNKS_CHUNK_GRAPHS_H_
