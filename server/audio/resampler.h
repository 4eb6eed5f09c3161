// A change of sample rate, in pieces.

#ifndef HEARWIRE_SERVER_AUDIO_RESAMPLER_H_
#define HEARWIRE_SERVER_AUDIO_RESAMPLER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

struct soxr;

namespace hearwire {

// libsoxr at very high quality (28 bits, linear phase), on the calling thread. However the samples are cut into pieces,
// the result is the same. Not thread-safe.
class Resampler {
 public:
  // Both rates above 0. INTERNAL: libsoxr refuses (no memory).
  static absl::StatusOr<std::unique_ptr<Resampler>> Create(int64_t from_hz, int64_t to_hz);
  ~Resampler();

  // round(sample_count * to_hz / from_hz), halves up. Rates below 2^31; the result is below 2^63.
  static int64_t ResampledCount(int64_t sample_count, int64_t from_hz, int64_t to_hz);

  // One that begins in the middle of a recording, at an instant that is a whole number of samples at both rates, makes
  // the bits that one makes which began at the start, from so many samples on: its filter then sees nothing from
  // before. Where no such instant lies within 0.1 s (a rate such as 44099 Hz), the bits differ: by 2e-5 of full scale.
  static int64_t SettleCount(int64_t from_hz, int64_t to_hz);

  // Takes the next samples and appends to `resampled` what is ready: later than the samples, by the length of the
  // filter. All that was appended is at most ResampledCount of all that was taken.
  absl::Status Append(absl::Span<const float> samples, std::vector<float>* resampled);

  // Appends the rest, so that ResampledCount samples have been appended in all, the first of them at the instant of the
  // first sample taken. Nothing may follow. INTERNAL, as from Append: libsoxr fails.
  absl::Status Finish(std::vector<float>* resampled);

 private:
  Resampler(soxr* stream, int64_t from_hz, int64_t to_hz) : stream_(stream), from_hz_(from_hz), to_hz_(to_hz) {}

  soxr* const stream_;
  const int64_t from_hz_;
  const int64_t to_hz_;
  int64_t taken_ = 0;
  int64_t given_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_RESAMPLER_H_
