// One page of an Ogg file.

#ifndef HEARWIRE_SERVER_AUDIO_OGG_PAGE_H_
#define HEARWIRE_SERVER_AUDIO_OGG_PAGE_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace hearwire {

// A view of the file's bytes.
struct OggPage {
  int64_t position = -1;  // At the end of the last packet that ends on this page; -1: none does.
  uint32_t stream = 0;
  uint32_t number = 0;
  uint32_t checksum = 0;
  bool continues_packet = false;  // Its first packet began on the page before.
  bool is_first = false;
  bool is_last = false;
  uint64_t bytes = 0;     // Of the whole page.
  std::string_view head;  // With the table of segment lengths.
  std::string_view body;  // As much of it as is there.

  bool is_whole() const { return head.size() + body.size() == bytes; }
  std::string_view segments() const { return head.substr(27); }  // Their lengths, one a byte.
};

// `bytes` begins with OggS. Nothing: they are fewer than a page's header.
std::optional<OggPage> ReadOggPage(std::string_view bytes);

// Of a whole page.
bool HasItsChecksum(const OggPage& page);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_OGG_PAGE_H_
