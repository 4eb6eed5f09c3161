// Values of flags from their text. INVALID_ARGUMENT says in a few words what the text should have been.

#ifndef HEARWIRE_SERVER_PARSE_VALUES_H_
#define HEARWIRE_SERVER_PARSE_VALUES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hearwire {

// A decimal number from `least` to `most`, both taken.
absl::StatusOr<int64_t> ParseWhole(const std::string& text, int64_t least, int64_t most);

// Bytes: a whole number, alone or with KiB, MiB or GiB.
absl::StatusOr<int64_t> ParseBytes(const std::string& text, int64_t least, int64_t most);

// "5ms", "2s", "1m30s"; "0" needs no unit.
absl::StatusOr<absl::Duration> ParseTime(const std::string& text, absl::Duration least, absl::Duration most);

// A number of seconds, "0.5" or "3600".
absl::StatusOr<absl::Duration> ParseSeconds(const std::string& text, absl::Duration least, absl::Duration most);

// Permissions of a file as chmod takes them, from 0 to 0777: "660", "0660".
absl::StatusOr<int> ParseMode(const std::string& text);
std::string FormatMode(int mode);  // "0660"

// As the flags' help writes them: "64MiB", "65536".
std::string FormatBytes(int64_t bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PARSE_VALUES_H_
