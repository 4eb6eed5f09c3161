#include "models/chunks/chunk_graphs.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire {

ChunkGraphs::ChunkGraphs(Record record, std::function<void(const std::string&)> warn)
    : record_(std::move(record)), warn_(std::move(warn)) {}

void ChunkGraphs::Run(int network, const ChunkShape& shape, absl::Span<const Column> columns,
                      const std::function<void()>& work) {
  ++chunks_;
  Known& known = Find(network, shape, columns);
  known.last_use = chunks_;
  if (!known.graph && !given_up_ && known.runs >= kRunsBefore && MakeRoom()) {
    try {
      known.graph = record_(work);
    } catch (const std::exception& error) {
      // What ails the device, if anything, shows again when the work runs by itself.
      given_up_ = true;
      if (warn_) warn_(absl::StrCat("no CUDA graphs: a chunk could not be recorded (", error.what(), ")"));
    }
  }
  if (known.graph) {
    known.graph->Launch();
  } else {
    work();
    ++known.runs;
  }
}

ChunkGraphs::Known& ChunkGraphs::Find(int network, const ChunkShape& shape, absl::Span<const Column> columns) {
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& known) {
    return known.network == network && known.shape == shape && known.columns == columns;
  });
  if (found != known_.end()) {
    known_.splice(known_.begin(), known_, found);
  } else {
    if (known_.size() >= kMaxKnown) {
      // There are fewer graphs than chunks that are known.
      const auto last = std::find_if(known_.rbegin(), known_.rend(), [](const Known& known) { return !known.graph; });
      known_.erase(std::prev(last.base()));
    }
    known_.push_front({network, shape, {columns.begin(), columns.end()}, 0, 0, nullptr});
  }
  return known_.front();
}

bool ChunkGraphs::MakeRoom() {
  if (graphs() < kMaxGraphs) return true;
  const auto oldest =
      std::find_if(known_.rbegin(), known_.rend(), [](const Known& known) { return known.graph != nullptr; });
  if (chunks_ - oldest->last_use < kKeptChunks) return false;
  oldest->graph = nullptr;
  oldest->runs = 0;
  return true;
}

size_t ChunkGraphs::graphs() const {
  return static_cast<size_t>(
      std::count_if(known_.begin(), known_.end(), [](const Known& known) { return known.graph != nullptr; }));
}

}  // namespace hearwire
