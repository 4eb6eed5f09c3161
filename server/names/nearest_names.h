// What somebody who mistyped a name may have meant.

#ifndef HEARWIRE_SERVER_NAMES_NEAREST_NAMES_H_
#define HEARWIRE_SERVER_NAMES_NEAREST_NAMES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace hearwire {

// Up to `count` of the names that are near `name`, fewest edits (insertions, removals, replacements) first, as they
// stand among equals. Near are those that a third of their length in edits makes of it, or two edits, and those that
// `name` is a part of, when it has three bytes or more. Only the first 64 bytes of `name` are looked at. Views of
// `names`' own.
std::vector<std::string_view> NearestNames(std::string_view name, absl::Span<const std::string_view> names, int count);

// A caller's text for a message: in quotes, printable ASCII, at most 64 bytes and "…" behind them when it is longer.
std::string Quoted(std::string_view text);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_NAMES_NEAREST_NAMES_H_
