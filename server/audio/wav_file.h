// The header of a WAV file, read with suspicion.

#ifndef HEARWIRE_SERVER_AUDIO_WAV_FILE_H_
#define HEARWIRE_SERVER_AUDIO_WAV_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hearwire {

// A WAV file reduced to what decoding needs.
struct WavFile {
  // A plain RIFF header (fmt and data chunk) with true lengths, to be put in front of `samples`. The decoder sees
  // neither the lengths that the file claims nor its other chunks.
  std::string header;
  std::string_view samples;  // Of the file's bytes: the content of its data chunk, whole samples (or blocks).
  int64_t sample_rate_hz = 0;
  int64_t channel_count = 0;
  std::optional<int64_t> sample_count;  // None where samples come in compressed blocks.
};

// At most so many chunks are walked over, before the data chunk and behind one of length 0.
inline constexpr int kMaxWavChunks = 1000;

// `bytes` begins with RIFF and WAVE. A data chunk of length 0 (followed by bytes that the RIFF length does not cover,
// or that are no chunks) or 0xffffffff, or of the length that sox writes into a pipe (0x7ffff000, in whole samples),
// goes on to the end of the file. INVALID_ARGUMENT: no fmt or data chunk; an encoding that is not accepted; values that
// contradict each other; no samples; a data chunk longer than the file (seconds found and claimed); more than
// kMaxWavChunks chunks before the data chunk.
absl::StatusOr<WavFile> ParseWavFile(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_WAV_FILE_H_
