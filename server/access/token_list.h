// The callers that --tokens-file names, and what proves that a call is theirs.
//
// A line for each token: the SHA-256 of the token in hexadecimal digits, the caller's name, and what it may, each as
// name=value. The rest of a line from a "#" on is a comment, and so are empty lines.
//
//   # printf %s "$token" | sha256sum
//   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  ingest  calls-per-minute=600 weight=4
//   max-streams=8 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752  search  methods=GetTags,ListConfigs
//
// A caller may have several tokens, so that one can be replaced by another while both count; their limits, weight and
// streams are the same.

#ifndef HEARWIRE_SERVER_ACCESS_TOKEN_LIST_H_
#define HEARWIRE_SERVER_ACCESS_TOKEN_LIST_H_

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/access/caller.h"

namespace hearwire {

// Immutable.
class TokenList {
 public:
  static constexpr size_t kMostTokens = 4096;

  struct Entry {
    std::array<uint8_t, 32> sha256 = {};
    Caller caller;
    std::set<std::string, std::less<>> methods;  // That it may call, such as "GetTags". Empty: all.
    int line = 0;
  };

  // known_methods: what `methods` may name. INVALID_ARGUMENT names the line and says what is wrong with it; it quotes
  // nothing of the first word, which may be a token that was put there by mistake.
  static absl::StatusOr<TokenList> Parse(std::string_view text, const std::vector<std::string>& known_methods);

  // Null: none is this token. Takes as long whatever the token is: it is compared with all of them, to the last byte.
  const Entry* Find(std::string_view token) const;

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ACCESS_TOKEN_LIST_H_
