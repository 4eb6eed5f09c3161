// The largest of some values.

#ifndef HEARWIRE_SERVER_RPC_BEST_VALUES_H_
#define HEARWIRE_SERVER_RPC_BEST_VALUES_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace hearwire {

// The places of the `count` largest values, at most all: the largest first, the lower place first among equals. A view
// of *order, whose memory is used again.
absl::Span<const size_t> FindBest(absl::Span<const float> values, size_t count, std::vector<size_t>* order);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_BEST_VALUES_H_
