#include "models/log_mel/overflow_error.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace hearwire {

absl::Status OverflowError(absl::Span<const float> samples) {
  float largest = 0;
  for (const float sample : samples) {
    if (!std::isfinite(sample)) return absl::InvalidArgumentError("the clip holds a sample that is not finite");
    largest = std::max(largest, std::abs(sample));
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "the spectrogram overflows: the largest sample is %.4g; full scale is 1", static_cast<double>(largest)));
}

}  // namespace hearwire
