// The header of a CAF (Core Audio) file, read with suspicion.

#ifndef HEARWIRE_SERVER_AUDIO_CAF_FILE_H_
#define HEARWIRE_SERVER_AUDIO_CAF_FILE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/audio/sample_file.h"

namespace hearwire {

// `bytes` begins with caff. INVALID_ARGUMENT as ParseSampleFile.
absl::StatusOr<SampleFile> ParseCafFile(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_CAF_FILE_H_
