#include "server/unknown_variables.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/names/nearest_names.h"

namespace hearwire {
namespace {

// What the clients and the tests read.
constexpr std::string_view kOthers[] = {
    "HEARWIRE_BIN",    "HEARWIRE_CLIENT_CERT",    "HEARWIRE_CLIENT_KEY", "HEARWIRE_METADATA",  "HEARWIRE_NVCC",
    "HEARWIRE_ROOTS",  "HEARWIRE_REQUIRE_SHARED", "HEARWIRE_SANITIZE",   "HEARWIRE_SERVER",    "HEARWIRE_SERVER_NAME",
    "HEARWIRE_SHARED", "HEARWIRE_SERVER_PROGRAM", "HEARWIRE_TOKEN",      "HEARWIRE_TOKEN_FILE"};

}  // namespace

std::vector<std::string> UnknownVariables(const std::vector<std::string>& variables,
                                          const std::vector<std::string>& known) {
  const std::vector<std::string_view> names(known.begin(), known.end());
  const auto is_known = [&](const std::string& variable) {
    return std::find(known.begin(), known.end(), variable) != known.end() ||
           std::find(std::begin(kOthers), std::end(kOthers), variable) != std::end(kOthers);
  };
  std::vector<std::string> warnings;
  for (const std::string& variable : variables) {
    if (!absl::StartsWith(variable, "HEARWIRE_") || is_known(variable)) continue;
    const std::vector<std::string_view> nearest = NearestNames(variable, names, 1);
    if (nearest.empty()) continue;
    warnings.push_back(absl::StrCat("the environment's ", Quoted(variable), " means nothing here: did you mean ",
                                    std::string(nearest[0]), "?"));
  }
  return warnings;
}

}  // namespace hearwire
