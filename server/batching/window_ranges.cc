#include "server/batching/window_ranges.h"

#include <cstddef>

namespace hearwire {

void FindWindowRanges(const Batch& batch, std::vector<WindowRange>* ranges) {
  ranges->assign(batch.calls.size(), {});
  for (size_t i = 0; i < batch.owners.size(); ++i) {
    const Batch::Owner& owner = batch.owners[i];
    WindowRange& range = (*ranges)[static_cast<size_t>(owner.call)];
    if (range.count++ == 0) range.first = owner.window;
    range.frames += batch.windows[i].window.frame_count();
  }
}

void AddTimes(const WindowRange& range, const Batch& batch, absl::Duration inference, BatchTimes* times) {
  times->inference += inference;
  times->share += inference * (static_cast<double>(range.frames) / static_cast<double>(batch.frames));
}

}  // namespace hearwire
