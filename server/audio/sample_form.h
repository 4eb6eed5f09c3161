// How a container holds its samples, and the header that says so to the decoder.

#ifndef HEARWIRE_SERVER_AUDIO_SAMPLE_FORM_H_
#define HEARWIRE_SERVER_AUDIO_SAMPLE_FORM_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "absl/status/statusor.h"
#include "server/audio/sample_file.h"

namespace hearwire {

// An unsigned or floating-point number at `offset`, which must be there.
template <typename Number>
Number ReadNumber(std::string_view bytes, size_t offset, std::endian order) {
  using Bits = std::conditional_t<
      sizeof(Number) == 8, uint64_t,
      std::conditional_t<sizeof(Number) == 4, uint32_t, std::conditional_t<sizeof(Number) == 2, uint16_t, uint8_t>>>;
  Bits bits = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    const size_t place = order == std::endian::big ? i : sizeof(Number) - 1 - i;
    bits = static_cast<Bits>(uint64_t{bits} << 8 | static_cast<uint8_t>(bytes[offset + place]));
  }
  return std::bit_cast<Number>(bits);
}

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

// The first `claimed` bytes of `rest`. INVALID_ARGUMENT: there are fewer (seconds and bytes found and claimed).
absl::StatusOr<std::string_view> TakeClaimed(const SampleForm& form, std::string_view rest, uint64_t claimed);

// The file of samples that are all of `data`, but for a part of one at its end. INVALID_ARGUMENT: there are none.
absl::StatusOr<SampleFile> MakeSampleFile(const SampleForm& form, std::string_view data);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_SAMPLE_FORM_H_
