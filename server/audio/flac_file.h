// The header of a FLAC file, read with suspicion.

#ifndef HEARWIRE_SERVER_AUDIO_FLAC_FILE_H_
#define HEARWIRE_SERVER_AUDIO_FLAC_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hearwire {

// A FLAC file reduced to what decoding needs.
struct FlacFile {
  // "fLaC" and the STREAMINFO block, marked as the last one, to be put in front of `frames`. The decoder sees no other
  // metadata: neither pictures of many megabytes nor millions of empty blocks cost it anything.
  std::string header;
  std::string_view frames;  // Of the file's bytes: all behind the metadata; none where it is cut off before.
  int64_t sample_rate_hz = 0;
  int64_t channel_count = 0;
  std::optional<int64_t> sample_count;  // As claimed; none where the encoder did not know.
};

// At most so many metadata blocks are walked over.
inline constexpr int kMaxFlacBlocks = 1000;

// `bytes` begins with fLaC. INVALID_ARGUMENT: the first block is no whole STREAMINFO; there are more than
// kMaxFlacBlocks.
absl::StatusOr<FlacFile> ParseFlacFile(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_FLAC_FILE_H_
