#include "server/audio/limits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hearwire {

absl::Status CheckSampleRate(int64_t sample_rate_hz, const AudioLimits& limits) {
  if (sample_rate_hz >= limits.min_sample_rate_hz && sample_rate_hz <= limits.max_sample_rate_hz) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("a sample rate of ", sample_rate_hz, " Hz is out of range; ",
                                                 limits.min_sample_rate_hz, " to ", limits.max_sample_rate_hz,
                                                 " Hz are accepted"));
}

absl::Status CheckChannelCount(int64_t channel_count, const AudioLimits& limits) {
  if (channel_count >= 1 && channel_count <= limits.max_channel_count) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(channel_count, " channels are out of range; 1 to ", limits.max_channel_count, " are accepted"));
}

int64_t MaxSamples(const AudioLimits& limits, int64_t sample_rate_hz) {
  constexpr double kMost = int64_t{1} << 40;
  const double most = absl::ToDoubleSeconds(limits.max_decoded) * static_cast<double>(sample_rate_hz);
  return static_cast<int64_t>(std::clamp(most, 0.0, kMost));
}

absl::Status TooLongError(const AudioLimits& limits, const std::string& found) {
  return absl::ResourceExhaustedError(
      absl::StrFormat("the clip is too long: %g s are decoded at most (--max-decoded-seconds), and %s",
                      absl::ToDoubleSeconds(limits.max_decoded), found));
}

}  // namespace hearwire
