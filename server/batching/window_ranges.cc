#include "server/batching/window_ranges.h"

#include <cstddef>

namespace hearwire {

void FindWindowRanges(const Batch& batch, std::vector<WindowRange>* ranges) {
  ranges->assign(batch.calls.size(), {});
  for (const Batch::Owner& owner : batch.owners) {
    WindowRange& range = (*ranges)[static_cast<size_t>(owner.call)];
    if (range.count++ == 0) range.first = owner.window;
  }
}

}  // namespace hearwire
