// Which windows of each call a batch holds.

#ifndef HEARWIRE_SERVER_BATCHING_WINDOW_RANGES_H_
#define HEARWIRE_SERVER_BATCHING_WINDOW_RANGES_H_

#include <cstdint>
#include <vector>

#include "server/batching/batch_queue.h"

namespace hearwire {

// Windows of one call in a batch: they follow one another.
struct WindowRange {
  int64_t first = 0;  // Its number among all windows of the call.
  int64_t count = 0;
  int64_t frames = 0;  // Of these windows.
};

// Of each of the batch's calls. Before RunBatch, which may reorder the batch.
void FindWindowRanges(const Batch& batch, std::vector<WindowRange>* ranges);

// What a batch took counts for a call that had these windows of it.
void AddTimes(const WindowRange& range, const Batch& batch, absl::Duration inference, BatchTimes* times);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_WINDOW_RANGES_H_
