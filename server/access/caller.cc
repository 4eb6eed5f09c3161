#include "server/access/caller.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"

namespace hearwire {
namespace {

constexpr size_t kMostBytes = 128;

bool IsPlain(char c) {
  constexpr std::string_view kMarks = "._:/+=-@";
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kMarks.find(c) != std::string_view::npos;
}

}  // namespace

bool IsCallerName(std::string_view name) {
  return !name.empty() && name.size() <= kMostBytes && std::all_of(name.begin(), name.end(), IsPlain);
}

std::string ToCallerName(std::string_view text) {
  std::string name(text.substr(0, kMostBytes));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !IsPlain(c); }, '_');
  return name;
}

}  // namespace hearwire
