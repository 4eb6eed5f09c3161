// How a container holds its samples, and the header that says so to the decoder.

#ifndef HEARWIRE_SERVER_AUDIO_SAMPLE_FORM_H_
#define HEARWIRE_SERVER_AUDIO_SAMPLE_FORM_H_

#include <bit>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/audio/read_number.h"
#include "server/audio/sample_file.h"

namespace hearwire {

struct SampleForm {
  enum class Coding { kUnsigned, kSigned, kFloat, kALaw, kMuLaw };
  Coding coding = Coding::kSigned;
  int bytes_per_value = 2;  // Integers 1 to 4, unsigned ones 1, floats 4 or 8, the others 1.
  std::endian order = std::endian::little;
  int64_t sample_rate_hz = 0;  // Above 0, below 2^32.
  int64_t channel_count = 0;   // Above 0, below 2^32.

  int64_t bytes_per_sample() const { return bytes_per_value * channel_count; }
};

// Whole bytes that hold a value of so many bits: 12 bits stand in the upper part of 16, 20 in that of 24. 0: no width
// of integers that is accepted.
int BytesPerInteger(int64_t bits);

// INVALID_ARGUMENT: a container's code of four characters for an encoding that is not accepted.
absl::Status EncodingError(std::string_view container, std::string_view code);

// The first `claimed` bytes of `rest`. INVALID_ARGUMENT: there are fewer (seconds and bytes found and claimed).
absl::StatusOr<std::string_view> TakeClaimed(const SampleForm& form, std::string_view rest, uint64_t claimed);

// The file of samples that are all of `data`, but for a part of one at its end. INVALID_ARGUMENT: there are none.
absl::StatusOr<SampleFile> MakeSampleFile(const SampleForm& form, std::string_view data);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_SAMPLE_FORM_H_
