#include "server/configuration_file.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/names/nearest_names.h"

namespace hearwire {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::string_view KeyOf(absl::string_view line) {
  absl::string_view key = absl::StripAsciiWhitespace(line.substr(0, line.find('=')));
  for (const char* quote : {"\"", "'"}) {
    if (absl::ConsumePrefix(&key, quote)) absl::ConsumeSuffix(&key, quote);
  }
  return key;
}

// Counted from 1: the first after line `after`, without the blanks in front of it, that is as said. 0: none.
template <typename Matches>
int LineOf(const std::string& text, Matches matches, int after = 0) {
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (number > after && matches(absl::StripLeadingAsciiWhitespace(line))) return number;
  }
  return 0;
}

CLI::ConfigError Error(int line, const std::string& message) {
  return {line > 0 ? absl::StrCat("line ", line, ": ", message) : message, CLI::ExitCodes::ConfigError};
}

}  // namespace

std::vector<CLI::ConfigItem> ConfigurationFile::from_config(std::istream& input) const {
  const std::string text(std::istreambuf_iterator<char>(input), {});
  std::istringstream again(text);
  std::vector<CLI::ConfigItem> items = CLI::ConfigTOML::from_config(again);
  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--") {  // As CLI11 tells of sections.
      throw Error(LineOf(text, [](absl::string_view line) { return absl::StartsWith(line, "["); }),
                  "there are no sections; lines are like max-clips=256");
    }
    const std::string name = item.fullname();
    if (!Contains(*names_, name)) throw NoOption(text, name);
    // CLI11 makes one item of lines that follow each other, and several of others.
    const auto has_name = [&](absl::string_view line) { return KeyOf(line) == name; };
    const int first = LineOf(text, has_name);
    if (const int second = LineOf(text, has_name, first); second > 0) {
      throw Error(second, absl::StrCat(Quoted(name), " is there twice, first in line ", first));
    }
    if (item.inputs.size() != 1 && !Contains(*lists_, name)) {
      throw Error(first, absl::StrCat(Quoted(name), " takes one value and has ", item.inputs.size(),
                                      "; a value with blanks or commas goes into quotes"));
    }
  }
  return items;
}

CLI::ConfigError ConfigurationFile::NoOption(const std::string& text, const std::string& name) const {
  const std::vector<std::string_view> names(names_->begin(), names_->end());
  const std::vector<std::string_view> nearest = NearestNames(name, names, 1);
  const int line = LineOf(text, [&](absl::string_view line) { return absl::StartsWith(line, name); });
  return Error(line, absl::StrCat(Quoted(name), " is no option",
                                  nearest.empty() ? "; lines are like max-clips=256, see --help"
                                                  : absl::StrCat("; did you mean ", std::string(nearest[0]), "?")));
}

}  // namespace hearwire
