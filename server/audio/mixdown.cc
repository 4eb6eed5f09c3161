#include "server/audio/mixdown.h"

#include <algorithm>
#include <bit>

namespace hearwire {

int64_t FindNonFinite(absl::Span<const float> values) {
  // The exponent of a NaN or an infinity is all ones. Blocks without a branch inside are quick; only a bad one is
  // searched.
  constexpr uint32_t kExponent = 0x7f800000;
  constexpr size_t kBlock = 256;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, values.size());
    uint32_t found = 0;
    for (size_t i = begin; i < end; ++i) found |= (std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent ? 1 : 0;
    if (found == 0) continue;
    for (size_t i = begin;; ++i) {
      if ((std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent) return static_cast<int64_t>(i);
    }
  }
  return -1;
}

absl::Span<float> MixDown(absl::Span<float> values, int64_t channel_count) {
  const auto samples = static_cast<int64_t>(values.size()) / channel_count;
  if (channel_count == 2) {
    for (int64_t i = 0; i < samples; ++i) {
      values[i] = static_cast<float>((static_cast<double>(values[2 * i]) + values[2 * i + 1]) * 0.5);
    }
  } else if (channel_count > 2) {
    for (int64_t i = 0; i < samples; ++i) {
      double sum = 0;
      for (int64_t channel = 0; channel < channel_count; ++channel) sum += values[i * channel_count + channel];
      values[i] = static_cast<float>(sum / static_cast<double>(channel_count));
    }
  }
  return values.first(samples);
}

}  // namespace hearwire
