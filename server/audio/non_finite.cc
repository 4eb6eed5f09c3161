#include "server/audio/non_finite.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace hearwire {

int64_t FindNonFinite(absl::Span<const float> values) {
  // The exponent of a NaN or an infinity is all ones: adding one to it carries into the sign. Blocks without a branch
  // inside are quick (a checked Span would have one at each value); only a bad one is searched.
  const auto carries = [](float value) { return (std::bit_cast<uint32_t>(value) & 0x7f800000U) + 0x00800000U; };
  constexpr size_t kBlock = 256;
  const float* const data = values.data();
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, values.size());
    uint32_t found = 0;
    for (size_t i = begin; i < end; ++i) found |= carries(data[i]);
    if (found >> 31 == 0) continue;
    for (size_t i = begin;; ++i) {
      if (carries(data[i]) >> 31 != 0) return static_cast<int64_t>(i);
    }
  }
  return -1;
}

}  // namespace hearwire
