// The pages of an Ogg file, walked over before anything is decoded.

#ifndef HEARWIRE_SERVER_AUDIO_OGG_FILE_H_
#define HEARWIRE_SERVER_AUDIO_OGG_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/audio/ogg_page.h"

namespace hearwire {

enum class OggCodec { kVorbis, kOpus, kFlac };

// One stream of a file: a file may be a chain of them, one after the other.
struct OggLink {
  OggCodec codec = OggCodec::kVorbis;
  std::string_view pages;  // Whole pages, all of this stream, with right checksums.
  // Of its last page that has one above 0, in the stream's units (48000 Hz for Opus, samples for the others). 0: none
  // has, or they do not grow.
  int64_t last_position = 0;
  bool is_cut = false;  // The file ends within its next page.
  // What that page would have added, in the same units; 0: it does not say.
  int64_t missing_units = 0;
};

// INVALID_ARGUMENT: of a link that is cut, so much audio was found, and so much is missing; 0: it does not say.
absl::Status CutLinkError(double found_seconds, double missing_seconds);

// Walks over the pages of a file without decoding any, some at a time. One thread at a time.
class OggScan {
 public:
  // At most so many streams in a chain: opening one is a piece of work.
  static constexpr size_t kMaxLinks = 1000;
  // Nobody needs them, and a file may be made of them.
  static constexpr int kMaxEmptyPages = 4;

  // `bytes` begins with OggS, and outlives this.
  explicit OggScan(std::string_view bytes) : bytes_(bytes) {}

  // Looks at pages of about max_bytes together; true: at all of them, and links() is known: at least one. A file
  // whose last page is whole is whole, whether that page is marked as the last one or not: who records what is live
  // cannot mark it. INVALID_ARGUMENT: another codec; streams side by side (decoders would take the first and be silent
  // about the rest); a stream whose beginning is missing; no page where one is due; a page with a wrong checksum; too
  // many streams or empty pages.
  absl::StatusOr<bool> Step(size_t max_bytes);

  const std::vector<OggLink>& links() const { return links_; }

 private:
  absl::Status Take(const OggPage& page);
  absl::Status Begin(const OggPage& page);

  const std::string_view bytes_;
  std::vector<OggLink> links_;
  size_t offset_ = 0;       // Of the next page.
  size_t link_begin_ = 0;   // Of the last link's first page.
  uint32_t stream_ = 0;     // The last link's.
  bool has_begun_ = false;  // The last link has a page behind its first one.
  bool has_ended_ = false;  // The page before is marked as the last one.
  int empty_pages_ = 0;
  bool is_ordered_ = true;  // Positions of the last link have grown so far.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_OGG_FILE_H_
