// What a WAV file's fmt chunk says of its samples.

#ifndef HEARWIRE_SERVER_AUDIO_WAV_FORM_H_
#define HEARWIRE_SERVER_AUDIO_WAV_FORM_H_

#include <bit>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/audio/sample_file.h"
#include "server/audio/sample_form.h"

namespace hearwire {

template <typename... Parts>
absl::Status WavHeaderError(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the WAV header is wrong: ", parts...));
}

struct WavForm {
  enum class Kind { kSamples, kBlocks, kMp3 };
  Kind kind = Kind::kSamples;
  SampleForm samples;             // The rate and the channels are those of every kind.
  std::string_view fmt;           // The chunk's content.
  int64_t block_bytes = 0;        // Of a sample, or of a block of compressed ones.
  int64_t samples_per_block = 0;  // Where a part of a block holds none (GSM); 0: unknown, or no blocks.
  int64_t bytes_per_second = 0;   // 0: not known.
};

// Content of a fmt chunk. Samples of 12 or 20 bits, a block length of 0 and a rate of bytes that nobody uses are
// mended, as players do. INVALID_ARGUMENT: an encoding that is not accepted (the message names it where it is known);
// values that contradict each other.
absl::StatusOr<WavForm> ParseWavForm(std::string_view fmt, std::endian order);

// The file of that form whose data chunk, as far as it goes, is `data`. INVALID_ARGUMENT: it has no samples.
absl::StatusOr<SampleFile> MakeWavSampleFile(const WavForm& form, std::string_view data);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_WAV_FORM_H_
