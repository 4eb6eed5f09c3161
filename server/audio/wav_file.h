// The chunks of a WAV file, read with suspicion.

#ifndef HEARWIRE_SERVER_AUDIO_WAV_FILE_H_
#define HEARWIRE_SERVER_AUDIO_WAV_FILE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/audio/sample_file.h"

namespace hearwire {

// `bytes` begins with RIFF, RIFX (all of it big-endian), RF64 or BW64 (lengths of 64 bits in a chunk of their own), and
// WAVE. A data chunk of length 0 (followed by bytes that the RIFF length does not cover, or that are no chunks) or all
// ones, or of the length that sox writes into a pipe (0x7ffff000, in whole samples), goes on to the end of the file.
// INVALID_ARGUMENT as ParseSampleFile.
absl::StatusOr<SampleFile> ParseWavFile(std::string_view bytes);

// `bytes` begins with W64's mark. The same with lengths of 64 bits.
absl::StatusOr<SampleFile> ParseW64File(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_WAV_FILE_H_
