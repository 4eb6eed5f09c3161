// Where a clip's samples come from, before they are mixed down and resampled.
//
// A sample is one instant: one value for each channel. Values are interleaved.

#ifndef HEARWIRE_SERVER_AUDIO_SAMPLE_SOURCE_H_
#define HEARWIRE_SERVER_AUDIO_SAMPLE_SOURCE_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace hearwire {

class SampleSource {
 public:
  virtual ~SampleSource() = default;

  virtual int64_t sample_rate_hz() const = 0;
  virtual int64_t channel_count() const = 0;  // At least 1.

  // How many samples there are, if the source says so; it may lie. Nothing: as many as there are.
  virtual std::optional<int64_t> claimed_samples() const = 0;

  // No value can be NaN or infinite: none has to be checked.
  virtual bool is_always_finite() const { return false; }

  // Writes the next samples, as many as fit into `values`, and returns how many; fewer than fit say nothing, 0 is the
  // end. INVALID_ARGUMENT: the source is damaged, or has ended before it should.
  virtual absl::StatusOr<int64_t> Read(absl::Span<float> values) = 0;
};

// INVALID_ARGUMENT with the seconds found and claimed.
absl::Status CutOffError(double found_seconds, double claimed_seconds);

// The same of bytes, which the message names too: seconds may look the same. bytes_per_second 0: it is not known.
absl::Status CutOffBytesError(uint64_t found, uint64_t claimed, double bytes_per_second);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_SAMPLE_SOURCE_H_
