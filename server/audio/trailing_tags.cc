#include "server/audio/trailing_tags.h"

#include <bit>
#include <cstdint>

#include "server/audio/read_number.h"

namespace hearwire {
namespace {

constexpr size_t kId3v1Bytes = 128;
constexpr size_t kApeFooterBytes = 32;

}  // namespace

std::string_view WithoutTrailingTags(std::string_view bytes) {
  if (bytes.size() >= kId3v1Bytes && bytes.substr(bytes.size() - kId3v1Bytes).starts_with("TAG")) {
    bytes.remove_suffix(kId3v1Bytes);
  }
  if (bytes.size() >= kApeFooterBytes) {
    const std::string_view footer = bytes.substr(bytes.size() - kApeFooterBytes);
    if (footer.starts_with("APETAGEX")) {
      // Of items and footer; the header, if any, comes on top.
      const auto size = ReadNumber<uint32_t>(footer, 12, std::endian::little);
      const bool has_header = (static_cast<uint8_t>(footer[23]) & 0x80) != 0;
      const uint64_t tag_bytes = uint64_t{size} + (has_header ? kApeFooterBytes : 0);
      if (size >= kApeFooterBytes && tag_bytes <= bytes.size()) bytes.remove_suffix(tag_bytes);
    }
  }
  return bytes;
}

}  // namespace hearwire
