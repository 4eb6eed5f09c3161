#include "server/audio/ogg_file.h"

#include <ogg/ogg.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

using namespace std::string_view_literals;

constexpr size_t kHeaderBytes = 27;  // Then a table of segment lengths.
constexpr size_t kMaxHeadBytes = kHeaderBytes + 255;
constexpr size_t kNumberOffset = 18;
constexpr size_t kChecksumOffset = 22;
constexpr uint8_t kFirstPage = 0x02;
constexpr uint8_t kLastPage = 0x04;

struct Page {
  uint8_t flags;
  int64_t position;  // At the end of the last packet that ends on this page; -1: none does.
  uint32_t stream;
  uint32_t number;
  uint32_t checksum;
  uint64_t bytes;         // Of the whole page.
  std::string_view head;  // With the table.
  std::string_view body;  // As much of it as is there.
};

template <typename Integer>
Integer Read(std::string_view bytes, size_t offset) {
  Integer value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

// Nothing: fewer bytes than a page's header.
std::optional<Page> ReadPage(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const auto segments = Read<uint8_t>(bytes, 26);
  const size_t body = kHeaderBytes + segments;
  if (bytes.size() < body) return std::nullopt;
  uint64_t size = body;
  for (size_t i = kHeaderBytes; i < body; ++i) size += Read<uint8_t>(bytes, i);
  return Page{Read<uint8_t>(bytes, 5),
              Read<int64_t>(bytes, 6),
              Read<uint32_t>(bytes, 14),
              Read<uint32_t>(bytes, kNumberOffset),
              Read<uint32_t>(bytes, kChecksumOffset),
              size,
              bytes.substr(0, body),
              bytes.substr(body, size - body)};
}

// Of a whole page.
bool HasItsChecksum(const Page& page) {
  unsigned char head[kMaxHeadBytes];
  std::memcpy(head, page.head.data(), page.head.size());
  ogg_page copy = {};
  copy.header = head;
  copy.header_len = static_cast<long>(page.head.size());  // NOLINT(google-runtime-int): libogg's type.
  // Read only: libogg has one type for both.
  copy.body = reinterpret_cast<unsigned char*>(const_cast<char*>(page.body.data()));
  copy.body_len = static_cast<long>(page.body.size());  // NOLINT(google-runtime-int)
  ogg_page_checksum_set(&copy);
  return std::memcmp(head + kChecksumOffset, &page.checksum, sizeof(page.checksum)) == 0;
}

// Whether the codec is Vorbis, by a stream's first packet.
absl::StatusOr<bool> IsVorbis(std::string_view first_packet) {
  if (first_packet.starts_with("\x01vorbis"sv)) return true;
  if (first_packet.starts_with("OpusHead"sv)) return false;
  const char* codec = first_packet.starts_with("\x7f\x46LAC"sv)  ? "FLAC"
                      : first_packet.starts_with("Speex   "sv)   ? "Speex"
                      : first_packet.starts_with("\x80theora"sv) ? "Theora"
                                                                 : "an unknown codec";
  return absl::InvalidArgumentError(absl::StrCat("an Ogg file of ", codec, "; Vorbis and Opus are accepted in Ogg"));
}

}  // namespace

absl::StatusOr<bool> OggScan::Step(size_t max_bytes) {
  for (const size_t begin = offset_; offset_ < bytes_.size();) {
    if (offset_ - begin >= max_bytes) return false;
    const std::string_view rest = bytes_.substr(offset_);
    if (!rest.starts_with("OggS"sv.substr(0, std::min<size_t>(4, rest.size())))) {
      if (file_.ends_properly) return true;  // Bytes after the last page are not ours.
      return absl::InvalidArgumentError(
          absl::StrCat("the Ogg file is damaged: no page at byte ", offset_, ", where one is due"));
    }
    const std::optional<Page> page = ReadPage(rest);
    if (!page) return true;
    if (!stream_) {
      const absl::StatusOr<bool> is_vorbis = IsVorbis(page->body);
      if (!is_vorbis.ok()) return is_vorbis.status();
      file_.is_vorbis = *is_vorbis;
      stream_ = page->stream;
      next_number_ = page->number;
    } else if (page->stream != *stream_ || (page->flags & kFirstPage) != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the Ogg file holds several streams, another one from byte ", offset_, "; one is accepted"));
    }
    if (page->bytes > rest.size()) {
      file_.missing_units = std::max<int64_t>(0, page->position - position_);
      file_.ends_properly = false;
      return true;
    }
    const bool is_faulty = page->body.empty() || page->number != next_number_ || !HasItsChecksum(*page);
    if (is_faulty && ++faults_ > kMaxFaults) {
      return absl::InvalidArgumentError(absl::StrCat("the Ogg file is damaged: the page at byte ", offset_, " is the ",
                                                     faults_,
                                                     "th that is empty, has a wrong checksum, or comes out of order"));
    }
    next_number_ = page->number + 1;
    if (page->position > 0) position_ = page->position;
    file_.ends_properly = (page->flags & kLastPage) != 0;
    offset_ += page->bytes;
  }
  return true;
}

}  // namespace hearwire
