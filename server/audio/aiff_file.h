// The header of an AIFF or AIFF-C file, read with suspicion.

#ifndef HEARWIRE_SERVER_AUDIO_AIFF_FILE_H_
#define HEARWIRE_SERVER_AUDIO_AIFF_FILE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/audio/sample_file.h"

namespace hearwire {

// `bytes` begins with FORM, a length, and AIFF or AIFC. INVALID_ARGUMENT as ParseSampleFile.
absl::StatusOr<SampleFile> ParseAiffFile(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_AIFF_FILE_H_
