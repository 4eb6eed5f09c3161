#include "server/access/network_list.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

constexpr std::string_view kUnix = "unix:";

}  // namespace

bool NetworkList::Parse(const std::string& text, Bytes* bytes, bool* is_ipv4) {
  in_addr ipv4;
  *is_ipv4 = inet_pton(AF_INET, text.c_str(), &ipv4) == 1;
  if (*is_ipv4) {
    *bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const auto* from = reinterpret_cast<const uint8_t*>(&ipv4);
    std::copy(from, from + 4, bytes->begin() + 12);
    return true;
  }
  return inet_pton(AF_INET6, text.c_str(), bytes->data()) == 1;
}

absl::Status NetworkList::Add(const std::string& text) {
  if (text == "unix") {
    has_unix_ = true;
    return absl::OkStatus();
  }
  if (uint32_t uid; text.starts_with(kUnix) && absl::SimpleAtoi(text.substr(kUnix.size()), &uid)) {
    uids_.insert(absl::StrCat(std::string(kUnix), uid));
    return absl::OkStatus();
  }
  const size_t slash = text.find('/');
  Range range;
  bool is_ipv4 = false;
  const bool is_address = Parse(text.substr(0, slash), &range.address, &is_ipv4);
  const int most = is_ipv4 ? 32 : 128;
  int bits = most;
  if (!is_address ||
      (slash != std::string::npos && (!absl::SimpleAtoi(text.substr(slash + 1), &bits) || bits < 0 || bits > most))) {
    return absl::InvalidArgumentError(
        "it must be addresses with commas between, such as 10.0.0.7,192.168.0.0/16,fd00::/8,unix,unix:1000");
  }
  range.bits = bits + (128 - most);
  ranges_.push_back(range);
  return absl::OkStatus();
}

bool NetworkList::Contains(std::string_view address) const {
  if (address == "unix" || address.starts_with(kUnix)) return has_unix_ || uids_.contains(address);
  Bytes bytes;
  bool is_ipv4;
  // A scope ("fe80::1%eth0") does not count.
  if (ranges_.empty() || !Parse(std::string(address.substr(0, address.find('%'))), &bytes, &is_ipv4)) return false;
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
    for (int bit = 0; bit < range.bits; bit += 8) {
      const int left = std::min(range.bits - bit, 8);
      const auto mask = static_cast<uint8_t>(0xff << (8 - left));
      const size_t i = static_cast<size_t>(bit) / 8;
      if ((bytes[i] & mask) != (range.address[i] & mask)) return false;
    }
    return true;
  });
}

}  // namespace hearwire
