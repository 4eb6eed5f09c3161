// From a source's values to mono samples at the model's rate.

#ifndef HEARWIRE_SERVER_AUDIO_SAMPLE_CONVERTER_H_
#define HEARWIRE_SERVER_AUDIO_SAMPLE_CONVERTER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/audio/resampler.h"

namespace hearwire {

// What the values are. A sample is one instant: one value for each channel, interleaved.
struct SampleFormat {
  int64_t sample_rate_hz = 0;     // Above 0.
  int64_t channel_count = 1;      // At least 1.
  bool is_always_finite = false;  // No value can be NaN or infinite: none is checked.
  // Index of the first sample in its recording: what errors count from.
  int64_t first_sample = 0;
};

// Checks that values are finite, averages the channels and resamples, piece by piece. The result does not depend on how
// the samples are cut into pieces. Holds the resampler's filter and nothing that grows. Not thread-safe.
class SampleConverter {
 public:
  // INTERNAL: libsoxr refuses (no memory).
  static absl::StatusOr<std::unique_ptr<SampleConverter>> Create(const SampleFormat& format, int sample_rate_hz);

  // Takes whole samples, overwrites them, and appends to *samples what is ready. Where the rate stays, that is as many
  // as were taken; else they come later, by the length of the filter.
  // INVALID_ARGUMENT: a value is NaN or infinite (the message says which sample and channel, and its time), or the
  // samples are so large that resampling leaves the range of floats. What is ready of the samples before has been
  // appended then. Nothing may follow an error.
  absl::Status Append(absl::Span<float> values, std::vector<float>* samples);

  // Appends the rest. Nothing may follow.
  absl::Status Finish(std::vector<float>* samples);

  int64_t samples_taken() const { return samples_taken_; }

 private:
  SampleConverter(const SampleFormat& format, std::unique_ptr<Resampler> resampler)
      : format_(format), resampler_(std::move(resampler)) {}

  absl::Status AppendFinite(absl::Span<float> values, std::vector<float>* samples);

  const SampleFormat format_;
  const std::unique_ptr<Resampler> resampler_;  // Null: the rate stays.
  int64_t samples_taken_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_SAMPLE_CONVERTER_H_
