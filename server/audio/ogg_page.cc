#include "server/audio/ogg_page.h"

#include <ogg/ogg.h>

#include <bit>
#include <cstddef>
#include <cstring>

#include "server/audio/read_number.h"

namespace hearwire {
namespace {

constexpr size_t kHeaderBytes = 27;  // Then the table of segment lengths.
constexpr size_t kMaxHeadBytes = kHeaderBytes + 255;
constexpr size_t kChecksumOffset = 22;
constexpr uint8_t kContinuesPacket = 0x01;
constexpr uint8_t kFirstPage = 0x02;
constexpr uint8_t kLastPage = 0x04;

template <typename Integer>
Integer Read(std::string_view bytes, size_t offset) {
  return ReadNumber<Integer>(bytes, offset, std::endian::little);
}

}  // namespace

std::optional<OggPage> ReadOggPage(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const size_t head_bytes = kHeaderBytes + Read<uint8_t>(bytes, 26);
  if (bytes.size() < head_bytes) return std::nullopt;
  OggPage page;
  const auto flags = Read<uint8_t>(bytes, 5);
  page.continues_packet = (flags & kContinuesPacket) != 0;
  page.is_first = (flags & kFirstPage) != 0;
  page.is_last = (flags & kLastPage) != 0;
  page.position = Read<int64_t>(bytes, 6);
  page.stream = Read<uint32_t>(bytes, 14);
  page.number = Read<uint32_t>(bytes, 18);
  page.checksum = Read<uint32_t>(bytes, kChecksumOffset);
  page.head = bytes.substr(0, head_bytes);
  page.bytes = head_bytes;
  for (const char length : page.segments()) page.bytes += static_cast<uint8_t>(length);
  page.body = bytes.substr(head_bytes, page.bytes - head_bytes);
  return page;
}

bool HasItsChecksum(const OggPage& page) {
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

}  // namespace hearwire
