#include "server/audio/mixdown.h"

namespace hearwire {

absl::Span<float> MixDown(absl::Span<float> values, int64_t channel_count) {
  const auto samples = static_cast<int64_t>(values.size()) / channel_count;
  float* const data = values.data();
  if (channel_count == 2) {
    for (int64_t i = 0; i < samples; ++i) {
      data[i] = static_cast<float>((static_cast<double>(data[2 * i]) + data[2 * i + 1]) * 0.5);
    }
  } else if (channel_count > 2) {
    for (int64_t i = 0; i < samples; ++i) {
      double sum = 0;
      for (int64_t channel = 0; channel < channel_count; ++channel) sum += data[i * channel_count + channel];
      data[i] = static_cast<float>(sum / static_cast<double>(channel_count));
    }
  }
  return values.first(samples);
}

}  // namespace hearwire
