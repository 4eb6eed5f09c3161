#include "server/audio/sample_converter.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "server/audio/mixdown.h"
#include "server/audio/non_finite.h"

namespace hearwire {
namespace {

absl::Status NonFiniteError(float value, const SampleFormat& format, int64_t sample, int64_t channel) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "sample %d of channel %d (both counted from 0), at %.3f s, is %s; every sample must be a finite number", sample,
      channel, static_cast<double>(sample) / static_cast<double>(format.sample_rate_hz),
      std::isnan(value) ? "NaN" : "infinite, or beyond the range of 32-bit floats"));
}

// The filter's overshoot can leave the range of floats where the samples were almost out of it. What was appended to
// the first `before` ends where it does.
absl::Status CheckOvershoot(size_t before, std::vector<float>* samples) {
  const int64_t bad = FindNonFinite(absl::MakeConstSpan(*samples).subspan(before));
  if (bad < 0) return absl::OkStatus();
  samples->resize(before + static_cast<size_t>(bad));
  return absl::InvalidArgumentError("the samples are too large: resampled, they are beyond the range of 32-bit floats");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SampleConverter>> SampleConverter::Create(const SampleFormat& format,
                                                                         int sample_rate_hz) {
  std::unique_ptr<Resampler> resampler;
  if (format.sample_rate_hz != sample_rate_hz) {
    absl::StatusOr<std::unique_ptr<Resampler>> created = Resampler::Create(format.sample_rate_hz, sample_rate_hz);
    if (!created.ok()) return created.status();
    resampler = *std::move(created);
  }
  return std::unique_ptr<SampleConverter>(new SampleConverter(format, std::move(resampler)));
}

absl::Status SampleConverter::Append(absl::Span<float> values, std::vector<float>* samples) {
  const int64_t channels = format_.channel_count;
  if (const int64_t bad = format_.is_always_finite ? -1 : FindNonFinite(values); bad >= 0) {
    const int64_t good = bad / channels;
    const absl::Status error =
        NonFiniteError(values[bad], format_, format_.first_sample + samples_taken_ + good, bad % channels);
    const absl::Status before = AppendFinite(values.first(static_cast<size_t>(good * channels)), samples);
    return before.ok() ? error : before;
  }
  return AppendFinite(values, samples);
}

absl::Status SampleConverter::AppendFinite(absl::Span<float> values, std::vector<float>* samples) {
  const absl::Span<const float> mono = MixDown(values, format_.channel_count);
  samples_taken_ += static_cast<int64_t>(mono.size());
  if (resampler_ == nullptr) {
    samples->insert(samples->end(), mono.begin(), mono.end());
    return absl::OkStatus();
  }
  const size_t before = samples->size();
  if (absl::Status status = resampler_->Append(mono, samples); !status.ok()) return status;
  return CheckOvershoot(before, samples);
}

absl::Status SampleConverter::Finish(std::vector<float>* samples) {
  if (resampler_ == nullptr) return absl::OkStatus();
  const size_t before = samples->size();
  if (absl::Status status = resampler_->Finish(samples); !status.ok()) return status;
  return CheckOvershoot(before, samples);
}

}  // namespace hearwire
