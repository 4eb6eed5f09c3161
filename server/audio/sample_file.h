// Files that hold their samples one by one, whatever container they are in, reduced to what decoding needs.

#ifndef HEARWIRE_SERVER_AUDIO_SAMPLE_FILE_H_
#define HEARWIRE_SERVER_AUDIO_SAMPLE_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/audio/file_format.h"

namespace hearwire {

struct SampleFile {
  // A header of our own making with true lengths, to be put in front of `samples`. The decoder sees neither the lengths
  // that the file claims nor its other chunks.
  std::string header;
  std::string_view samples;  // Of the file's bytes: whole samples (or blocks).
  int64_t sample_rate_hz = 0;
  int64_t channel_count = 0;
  std::optional<int64_t> sample_count;  // None where samples come in blocks of ADPCM.
  bool holds_mp3 = false;               // A WAV file of MP3 frames: they are `samples`, and there is no header.
};

// At most so many chunks are walked over, before the data chunk and behind one of length 0.
inline constexpr int kMaxChunks = 1000;

// `bytes` begins as files of that format do: WAV in all its forms, W64, AIFF, AU and CAF. A length that the writer did
// not know (0 or all ones, and what sox writes into a pipe) goes on to the end of the file. INVALID_ARGUMENT: a header
// that contradicts itself, an encoding that is not accepted; no samples; fewer bytes than are claimed (seconds and
// bytes found and claimed); more than kMaxChunks chunks.
absl::StatusOr<SampleFile> ParseSampleFile(FileFormat format, std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_SAMPLE_FILE_H_
