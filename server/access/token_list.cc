#include "server/access/token_list.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace hearwire {
namespace {

constexpr int64_t kMostOfALimit = int64_t{1} << 50;

absl::Status Wrong(int line, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", what));
}

bool ReadDigest(absl::string_view word, std::array<uint8_t, 32>* digest) {
  if (word.size() != 2 * digest->size()) return false;
  if (!std::all_of(word.begin(), word.end(), [](unsigned char c) { return absl::ascii_isxdigit(c); })) return false;
  const std::string bytes = absl::HexStringToBytes(word);
  std::copy(bytes.begin(), bytes.end(), digest->begin());
  return true;
}

absl::Status ReadMethods(absl::string_view value, const std::vector<std::string>& known, TokenList::Entry* entry) {
  for (const absl::string_view method : absl::StrSplit(value, ',')) {
    if (std::find(known.begin(), known.end(), method) == known.end()) {
      return Wrong(entry->line,
                   absl::StrCat("methods= takes names with commas between, of ", absl::StrJoin(known, ", ")));
    }
    entry->methods.emplace(method);
  }
  return absl::OkStatus();
}

absl::Status ReadWholeNumber(absl::string_view name, absl::string_view value, int64_t most, int line, int64_t* number) {
  if (absl::SimpleAtoi(value, number) && *number >= 1 && *number <= most) return absl::OkStatus();
  return Wrong(line, absl::StrCat(name, "= takes a whole number from 1 to ", most));
}

absl::Status ReadProperty(absl::string_view word, const std::vector<std::string>& known_methods,
                          TokenList::Entry* entry) {
  const std::pair<absl::string_view, absl::string_view> property = absl::StrSplit(word, absl::MaxSplits('=', 1));
  if (property.first == "methods") return ReadMethods(property.second, known_methods, entry);
  const bool is_weight = property.first == "weight";
  if (is_weight || property.first == "max-streams") {
    int64_t number = 0;
    absl::Status status =
        ReadWholeNumber(property.first, property.second, is_weight ? kMostWeight : kMostStreams, entry->line, &number);
    (is_weight ? entry->caller.weight : entry->caller.max_streams) = static_cast<int>(number);
    return status;
  }
  CallerLimits& limits = entry->caller.limits;
  int64_t* limit = property.first == "calls-per-minute"           ? &limits.calls
                   : property.first == "bytes-per-minute"         ? &limits.bytes
                   : property.first == "audio-seconds-per-minute" ? &limits.audio_seconds
                                                                  : nullptr;
  if (limit == nullptr) {
    return Wrong(
        entry->line,
        "behind the caller's name come calls-per-minute=, bytes-per-minute=, audio-seconds-per-minute=, weight=, "
        "max-streams= and methods=, and nothing else");
  }
  return ReadWholeNumber(property.first, property.second, kMostOfALimit, entry->line, limit);
}

}  // namespace

absl::StatusOr<TokenList> TokenList::Parse(std::string_view text, const std::vector<std::string>& known_methods) {
  TokenList list;
  std::map<std::array<uint8_t, 32>, int> lines;  // Of tokens.
  std::map<std::string, const Caller> callers;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    ++number;
    line = line.substr(0, line.find('#'));
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    Entry entry;
    entry.line = number;
    if (!ReadDigest(words[0], &entry.sha256)) {
      return Wrong(number,
                   "a line begins with the SHA-256 of a token, 64 hexadecimal digits, never with the token itself");
    }
    if (const auto [first, is_new] = lines.emplace(entry.sha256, number); !is_new) {
      return Wrong(number, absl::StrCat("the token of line ", first->second, " again"));
    }
    // A name that looks like an address could be taken for a caller without a token.
    if (words.size() < 2 || !IsCallerName({words[1].data(), words[1].size()}) ||
        !absl::ascii_isalpha(static_cast<unsigned char>(words[1][0])) || words[1].find(':') != words[1].npos) {
      return Wrong(
          number,
          "the second word is the caller's name: a letter, then letters, digits or any of \"._/+=-@\", at most 128");
    }
    entry.caller = {.name = std::string(words[1]), .is_named = true};
    std::set<absl::string_view> seen;
    for (size_t i = 2; i < words.size(); ++i) {
      if (absl::Status status = ReadProperty(words[i], known_methods, &entry); !status.ok()) return status;
      const absl::string_view name = words[i].substr(0, words[i].find('='));
      if (!seen.insert(name).second) return Wrong(number, absl::StrCat(name, "= is there twice: take one of them out"));
    }
    const Caller& before = callers.emplace(entry.caller.name, entry.caller).first->second;
    if (!(before.limits == entry.caller.limits) || before.weight != entry.caller.weight ||
        before.max_streams != entry.caller.max_streams) {
      return Wrong(
          number, absl::StrCat("the limits or the weight of ", entry.caller.name, " are others than in a line before"));
    }
    list.entries_.push_back(std::move(entry));
    if (list.entries_.size() > kMostTokens) {
      return Wrong(number, absl::StrCat("there are more than ", kMostTokens, " tokens"));
    }
  }
  return list;
}

const TokenList::Entry* TokenList::Find(std::string_view token) const {
  std::array<uint8_t, 32> digest;
  SHA256(reinterpret_cast<const uint8_t*>(token.data()), token.size(), digest.data());
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (CRYPTO_memcmp(entry.sha256.data(), digest.data(), digest.size()) == 0) found = &entry;
  }
  return found;
}

}  // namespace hearwire
