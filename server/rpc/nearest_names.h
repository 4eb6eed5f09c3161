// What a caller who mistyped a name may have meant.

#ifndef HEARWIRE_SERVER_RPC_NEAREST_NAMES_H_
#define HEARWIRE_SERVER_RPC_NEAREST_NAMES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace hearwire {

// Up to `count` of the names, fewest edits (insertions, removals, replacements) first, as they stand among equals. Only
// the first 64 bytes of `name` are looked at.
std::vector<std::string_view> NearestNames(std::string_view name, absl::Span<const std::string_view> names, int count);

// A caller's text for a message: in quotes, printable ASCII, at most 64 bytes and "…" behind them when it is longer.
std::string Quoted(std::string_view text);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_NEAREST_NAMES_H_
