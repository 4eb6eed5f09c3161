// Ranges of addresses: 10.0.0.0/8, fd00::/8, 192.168.1.7.

#ifndef HEARWIRE_SERVER_ACCESS_NETWORK_LIST_H_
#define HEARWIRE_SERVER_ACCESS_NETWORK_LIST_H_

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace hearwire {

class NetworkList {
 public:
  // An address, a range (ADDRESS/BITS), "unix", which is whoever calls on a socket of the machine, or "unix:UID".
  // INVALID_ARGUMENT says what would be right.
  absl::Status Add(const std::string& text);

  // address: without a port, "10.0.0.7"; "unix:1000", or "unix" where the uid is not known.
  bool Contains(std::string_view address) const;
  bool empty() const { return ranges_.empty() && uids_.empty() && !has_unix_; }

 private:
  using Bytes = std::array<uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d.
  struct Range {
    Bytes address;
    int bits;
  };
  static bool Parse(const std::string& text, Bytes* bytes, bool* is_ipv4);

  std::vector<Range> ranges_;
  std::set<std::string, std::less<>> uids_;  // "unix:1000".
  bool has_unix_ = false;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ACCESS_NETWORK_LIST_H_
