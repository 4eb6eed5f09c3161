#include "server/audio/ogg_file.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

using namespace std::string_view_literals;

constexpr size_t kHeaderBytes = 27;  // Then a table of segment lengths.
constexpr uint8_t kFirstPage = 0x02;
constexpr uint8_t kLastPage = 0x04;

struct Page {
  uint8_t flags;
  int64_t position;  // At the end of the last packet that ends on this page; -1: none does.
  uint32_t stream;
  uint64_t bytes;         // Of the whole page.
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
  return Page{Read<uint8_t>(bytes, 5), Read<int64_t>(bytes, 6), Read<uint32_t>(bytes, 14), size,
              bytes.substr(body, size - body)};
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

absl::StatusOr<OggFile> ScanOggFile(std::string_view bytes) {
  OggFile file;
  std::optional<uint32_t> stream;
  int64_t position = 0;
  for (size_t offset = 0; offset < bytes.size();) {
    const std::string_view rest = bytes.substr(offset);
    if (!rest.starts_with("OggS"sv.substr(0, std::min<size_t>(4, rest.size())))) {
      if (file.ends_properly) return file;  // Bytes after the last page are not ours.
      return absl::InvalidArgumentError(
          absl::StrCat("the Ogg file is damaged: no page at byte ", offset, ", where one is due"));
    }
    const std::optional<Page> page = ReadPage(rest);
    if (!page) break;
    if (!stream) {
      const absl::StatusOr<bool> is_vorbis = IsVorbis(page->body);
      if (!is_vorbis.ok()) return is_vorbis.status();
      file.is_vorbis = *is_vorbis;
      stream = page->stream;
    } else if (page->stream != *stream || (page->flags & kFirstPage) != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the Ogg file holds several streams, another one from byte ", offset, "; one is accepted"));
    }
    if (page->bytes > rest.size()) {
      file.missing_units = std::max<int64_t>(0, page->position - position);
      file.ends_properly = false;
      return file;
    }
    if (page->position > 0) position = page->position;
    file.ends_properly = (page->flags & kLastPage) != 0;
    offset += page->bytes;
  }
  return file;
}

}  // namespace hearwire
