#include "server/rpc/bytes_ahead.h"

#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hearwire {

std::variant<int64_t, RequestFault> ReadBytesAhead(const grpc::ServerContextBase& context) {
  const auto [begin, end] = context.client_metadata().equal_range(kBytesAheadKey);
  if (begin == end) return int64_t{0};
  const absl::string_view text(begin->second.data(), begin->second.size());
  int64_t bytes = 0;
  if (std::next(begin) == end && absl::SimpleAtoi(text, &bytes) && bytes >= kLeastBytesAhead &&
      bytes <= kMostBytesAhead) {
    return bytes;
  }
  return InvalidRequest(kBytesAheadKey,
                        absl::StrCat("\"", absl::CHexEscape(text.substr(0, 20)), "\" in the metadata will not do: one ",
                                     "number of bytes from ", kLeastBytesAhead, " to ", kMostBytesAhead,
                                     ", set by a proxy, would be right"));
}

}  // namespace hearwire
