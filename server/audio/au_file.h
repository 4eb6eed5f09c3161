// The header of an AU (Sun, NeXT) file, read with suspicion.

#ifndef HEARWIRE_SERVER_AUDIO_AU_FILE_H_
#define HEARWIRE_SERVER_AUDIO_AU_FILE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/audio/sample_file.h"

namespace hearwire {

// `bytes` begins with .snd, or with dns. where all is little-endian. INVALID_ARGUMENT as ParseSampleFile.
absl::StatusOr<SampleFile> ParseAuFile(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_AU_FILE_H_
