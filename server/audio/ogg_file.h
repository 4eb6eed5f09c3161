// The pages of an Ogg file: what its decoders do not say.

#ifndef HEARWIRE_SERVER_AUDIO_OGG_FILE_H_
#define HEARWIRE_SERVER_AUDIO_OGG_FILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
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

// Walks over the pages of a file without decoding any, some at a time. One thread at a time.
//
// Decoders are slow where pages are damaged, empty or missing: they look for the next one byte by byte, or begin anew,
// for minutes where somebody means it. So a file with more than kMaxFaults such pages is refused here. One with fewer
// ends sooner than it claims, as a rule, and is refused when it does.
class OggScan {
 public:
  static constexpr int kMaxFaults = 4;

  // `bytes` begins with OggS, and outlives this.
  explicit OggScan(std::string_view bytes) : bytes_(bytes) {}

  // Looks at pages of about max_bytes together; true: at all of them, and file() is known. INVALID_ARGUMENT: another
  // codec than Vorbis or Opus; several streams, side by side or in a chain (decoders would take the first and be silent
  // about the rest); no page where one is due; too many faults.
  absl::StatusOr<bool> Step(size_t max_bytes);

  const OggFile& file() const { return file_; }

 private:
  const std::string_view bytes_;
  OggFile file_;
  size_t offset_ = 0;  // Of the next page.
  std::optional<uint32_t> stream_;
  int64_t position_ = 0;
  uint32_t next_number_ = 0;
  int faults_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_OGG_FILE_H_
