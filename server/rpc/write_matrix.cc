#include "server/rpc/write_matrix.h"

#include <bit>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/rpc/float16.h"

namespace hearwire {

// Rows are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little);

int64_t ElementBytes(v1::ElementType type) { return type == v1::ELEMENT_TYPE_FLOAT16 ? 2 : 4; }

void StartMatrix(int rows, int columns, v1::ElementType type, v1::Matrix* matrix) {
  matrix->set_rows(static_cast<uint32_t>(rows));
  matrix->set_columns(static_cast<uint32_t>(columns));
  matrix->set_element_type(type);
}

std::optional<float> WriteElements(absl::Span<const float> values, v1::ElementType type, char* to) {
  if (type == v1::ELEMENT_TYPE_FLOAT32) {
    std::memcpy(to, values.data(), values.size() * sizeof(float));
    return std::nullopt;
  }
  for (const float value : values) {
    const uint16_t bits = ToFloat16(value);
    if (!IsFiniteFloat16(bits)) return value;
    std::memcpy(to, &bits, sizeof(bits));
    to += sizeof(bits);
  }
  return std::nullopt;
}

std::optional<float> AppendElements(absl::Span<const float> values, v1::ElementType type, std::string* data) {
  if (type == v1::ELEMENT_TYPE_FLOAT32) {
    // Not by a resize, which would fill all with zeros first.
    data->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    return std::nullopt;
  }
  const size_t begin = data->size();
  data->resize(begin + values.size() * sizeof(uint16_t));
  return WriteElements(values, type, data->data() + begin);
}

RequestFault BeyondFloat16(float value, std::string_view whose, std::string field) {
  return {{.status = absl::InvalidArgumentError(absl::StrCat("the embedding of ", std::string(whose), " holds ", value,
                                                             ", and FLOAT16 ends at 65504: ask for FLOAT32")),
           .reason = reason::kInvalidRequest},
          std::move(field)};
}

}  // namespace hearwire
