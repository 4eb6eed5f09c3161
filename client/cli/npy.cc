#include "client/cli/npy.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hearwire::cli {

static_assert(std::endian::native == std::endian::little, "values are written as the processor holds them");

std::string NpyHeader(std::string_view type, absl::Span<const int64_t> shape) {
  constexpr size_t kPreambleBytes = 10;
  constexpr size_t kAlignment = 64;
  std::string header = absl::StrCat("{'descr': '", std::string(type), "', 'fortran_order': False, 'shape': (",
                                    absl::StrJoin(shape, ", "), shape.size() == 1 ? ",), }" : "), }");
  // Room for more rows than the first axis has now.
  const size_t least = kPreambleBytes + header.size() - std::to_string(shape.front()).size() + 13 + 1;
  header.resize((least + kAlignment - 1) / kAlignment * kAlignment - kPreambleBytes - 1, ' ');
  header += '\n';
  std::string result("\x93NUMPY\x01\x00", 8);
  result += static_cast<char>(header.size() & 0xff);
  result += static_cast<char>(header.size() >> 8);
  return result + header;
}

}  // namespace hearwire::cli
