#include "server/parse_values.h"

#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hearwire {
namespace {

constexpr std::array<std::pair<std::string_view, int64_t>, 3> kByteUnits = {
    {{"GiB", int64_t{1} << 30}, {"MiB", int64_t{1} << 20}, {"KiB", int64_t{1} << 10}}};

// Digits only, so neither signs, spaces nor hexadecimal.
bool IsDigits(const std::string& text) {
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return !text.empty();
}

template <typename Value, typename Text>
absl::StatusOr<Value> InRange(Value value, Value least, Value most, const Text& text) {
  if (value < least || value > most) {
    return absl::InvalidArgumentError(absl::StrCat("it must be from ", text(least), " to ", text(most)));
  }
  return value;
}

}  // namespace

absl::StatusOr<int64_t> ParseWhole(const std::string& text, int64_t least, int64_t most) {
  int64_t value = 0;
  if (!IsDigits(text) || !absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(absl::StrCat("it must be a whole number from ", least, " to ", most));
  }
  return InRange(value, least, most, [](int64_t bound) { return absl::StrCat(bound); });
}

absl::StatusOr<int64_t> ParseBytes(const std::string& text, int64_t least, int64_t most) {
  std::string digits = text;
  int64_t unit = 1;
  for (const auto& [name, bytes] : kByteUnits) {
    if (text.size() > name.size() && std::string_view(text).substr(text.size() - name.size()) == name) {
      digits.resize(text.size() - name.size());
      unit = bytes;
    }
  }
  int64_t value = 0;
  if (!IsDigits(digits) || !absl::SimpleAtoi(digits, &value)) {
    return absl::InvalidArgumentError("it must be a size such as 65536 (bytes), 512KiB, 64MiB or 1GiB");
  }
  if (value > most / unit) value = most / unit + 1;  // Without overflow: beyond the bound all the same.
  return InRange(value * unit, least, most, FormatBytes);
}

absl::StatusOr<absl::Duration> ParseTime(const std::string& text, absl::Duration least, absl::Duration most) {
  absl::Duration value;
  if (!absl::ParseDuration(text, &value) || value == absl::InfiniteDuration() || value == -absl::InfiniteDuration()) {
    return absl::InvalidArgumentError("it must be a time with its unit, such as 5ms, 2s or 1m30s");
  }
  return InRange(value, least, most, absl::FormatDuration);
}

absl::StatusOr<absl::Duration> ParseSeconds(const std::string& text, absl::Duration least, absl::Duration most) {
  double seconds = 0;
  if (!absl::SimpleAtod(text, &seconds)) {
    return absl::InvalidArgumentError("it must be a number of seconds, such as 3600");
  }
  return InRange(absl::Seconds(seconds), least, most,
                 [](absl::Duration bound) { return absl::StrCat(absl::ToDoubleSeconds(bound), " seconds"); });
}

absl::StatusOr<int> ParseMode(const std::string& text) {
  int mode = 0;
  for (const char c : text) {
    if (c < '0' || c > '7' || mode > 0777) mode = 0777 + 1;
    mode = mode > 0777 ? mode : 8 * mode + (c - '0');
  }
  if (text.empty() || mode > 0777) {
    return absl::InvalidArgumentError("it must be permissions in octal digits, such as 0600 or 0660");
  }
  return mode;
}

std::string FormatMode(int mode) { return absl::StrFormat("%04o", mode); }

std::string FormatBytes(int64_t bytes) {
  for (const auto& [name, unit] : kByteUnits) {
    if (bytes >= unit && bytes % unit == 0) return absl::StrCat(bytes / unit, std::string(name));
  }
  return absl::StrCat(bytes);
}

}  // namespace hearwire
