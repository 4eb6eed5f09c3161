// The pages of an Ogg file: what its decoders do not say.

#ifndef HEARWIRE_SERVER_AUDIO_OGG_FILE_H_
#define HEARWIRE_SERVER_AUDIO_OGG_FILE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace hearwire {

struct OggFile {
  bool is_vorbis = false;  // Otherwise Opus.
  // The last page is whole and marked as the last one.
  bool ends_properly = false;
  // Of a file that does not end properly: what the page at which it is cut would have added, in units of the stream's
  // position (48000 Hz for Opus, samples for Vorbis). 0: it does not say.
  int64_t missing_units = 0;
};

// Walks over the pages without decoding any. `bytes` begins with OggS. INVALID_ARGUMENT: another codec than Vorbis or
// Opus; several streams, side by side or in a chain (decoders would take the first and be silent about the rest); no
// page where one is due.
absl::StatusOr<OggFile> ScanOggFile(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_OGG_FILE_H_
