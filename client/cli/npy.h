// NumPy's array file format, version 1.0 (numpy.lib.format): a header, then the values as they are in memory.

#ifndef HEARWIRE_CLIENT_CLI_NPY_H_
#define HEARWIRE_CLIENT_CLI_NPY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace hearwire::cli {

inline constexpr std::string_view kNpyFloat32 = "<f4";
inline constexpr std::string_view kNpyFloat64 = "<f8";

// The header of an array in C order. Its length is a multiple of 64, and the same for every shape of as many axes with
// fewer than 10^13 rows, so that it can be written again when the number of rows is known.
std::string NpyHeader(std::string_view type, absl::Span<const int64_t> shape);

// The bytes of values, as they follow the header.
template <typename Value>
std::string_view ValueBytes(absl::Span<const Value> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value)};
}

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_NPY_H_
