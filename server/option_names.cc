#include "server/option_names.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/names/nearest_names.h"

namespace hearwire {
namespace {

// What the clients and the tests read.
constexpr std::string_view kOthers[] = {
    "HEARWIRE_BIN",    "HEARWIRE_CLIENT_CERT",    "HEARWIRE_CLIENT_KEY", "HEARWIRE_METADATA",  "HEARWIRE_NVCC",
    "HEARWIRE_ROOTS",  "HEARWIRE_REQUIRE_SHARED", "HEARWIRE_SANITIZE",   "HEARWIRE_SERVER",    "HEARWIRE_SERVER_NAME",
    "HEARWIRE_SHARED", "HEARWIRE_SERVER_PROGRAM", "HEARWIRE_TOKEN",      "HEARWIRE_TOKEN_FILE"};

}  // namespace

std::string EnvironmentName(const std::string& flag) {
  return absl::StrCat("HEARWIRE_", absl::AsciiStrToUpper(absl::StrReplaceAll(flag, {{"-", "_"}})));
}

bool IsGiven(const std::vector<std::string>& arguments, const std::string& flag) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return argument == "--" + flag || argument.rfind("--" + flag + "=", 0) == 0;
  });
}

std::vector<std::string> TakeOldNames(const GetEnvironment& environment, std::vector<std::string>* arguments) {
  std::vector<std::string> warnings;
  const auto warn = [&](const char* old, const char* now) {
    warnings.push_back(absl::StrCat(old, " is called ", now, " now: the old name goes with the next version"));
  };
  for (std::string& argument : *arguments) {
    if (argument != "--config" && !absl::StartsWith(argument, "--config=")) continue;
    argument.insert(std::string_view("--config").size(), "-file");
    warn("--config", "--config-file");
  }
  const auto is_set = [&](const char* name) {
    const char* const value = environment(name);
    return value != nullptr && *value != '\0';
  };
  if (IsGiven(*arguments, "config-file") || is_set("HEARWIRE_CONFIG_FILE") || !is_set("HEARWIRE_CONFIG")) {
    return warnings;
  }
  arguments->push_back(absl::StrCat("--config-file=", environment("HEARWIRE_CONFIG")));
  warn("HEARWIRE_CONFIG", "HEARWIRE_CONFIG_FILE");
  return warnings;
}

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
