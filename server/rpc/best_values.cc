#include "server/rpc/best_values.h"

#include <algorithm>
#include <numeric>

namespace hearwire {

absl::Span<const size_t> FindBest(absl::Span<const float> values, size_t count, std::vector<size_t>* order) {
  order->resize(values.size());
  std::iota(order->begin(), order->end(), size_t{0});
  std::partial_sort(order->begin(), order->begin() + static_cast<std::ptrdiff_t>(count), order->end(),
                    [&](size_t a, size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  return absl::MakeConstSpan(*order).first(count);
}

}  // namespace hearwire
