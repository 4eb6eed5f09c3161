#include "client/cli/printable.h"

#include <cstddef>

#include "absl/strings/str_format.h"

namespace hearwire::cli {
namespace {

bool IsContinuation(unsigned char byte) { return (byte & 0xc0) == 0x80; }

// Bytes of the character beyond ASCII that the text starts with; 0 when it is none, or a control character.
size_t PrintableLength(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : '\0'; };
  const unsigned char first = byte(0);
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90)) return 0;  // Longer than need be.
  if (first < 0xc2 || first > 0xf4 || (first == 0xc2 && byte(1) < 0xa0)) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(byte(i))) return 0;
  }
  return length;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const size_t length = first < 0x80 ? (first >= ' ' && first != 0x7f ? 1 : 0) : PrintableLength(text);
    if (length > 0) {
      printable += text.substr(0, length);
    } else if (first == '\n' || first == '\r' || first == '\t') {
      printable += first == '\n' ? "\\n" : first == '\r' ? "\\r" : "\\t";
    } else {
      printable += absl::StrFormat("\\x%02x", first);
    }
    text.remove_prefix(length > 0 ? length : 1);
  }
  return printable;
}

}  // namespace hearwire::cli
