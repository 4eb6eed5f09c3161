// The start of a WAV file, as it comes through a pipe.

#ifndef HEARWIRE_CLIENT_CLI_WAV_HEADER_H_
#define HEARWIRE_CLIENT_CLI_WAV_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/cli/sample_format.h"

namespace hearwire::cli {

struct WavHeader {
  SampleFormat format;
  size_t bytes = 0;                   // Of the header: the samples follow.
  std::optional<int64_t> data_bytes;  // Of the samples; absent where a program that could not know has written it.
};

// RIFF and RF64; PCM of 8 to 32 bits and floats of 32 and 64, WAVE_EXTENSIBLE too. A length of 0, of all ones or of 2
// GiB and about (arecord's) says that it was not known. start: the file's first bytes. Absent: there must be more of
// them. INVALID_ARGUMENT: not such a file, in words that continue its name and a colon.
absl::StatusOr<std::optional<WavHeader>> ParseWavHeader(std::string_view start);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_WAV_HEADER_H_
