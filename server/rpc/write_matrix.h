// Rows of embeddings as a Matrix.

#ifndef HEARWIRE_SERVER_RPC_WRITE_MATRIX_H_
#define HEARWIRE_SERVER_RPC_WRITE_MATRIX_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "hearwire/v1/embedding.pb.h"
#include "server/rpc/read_request.h"

namespace hearwire {

int64_t ElementBytes(v1::ElementType type);

void StartMatrix(int rows, int columns, v1::ElementType type, v1::Matrix* matrix);

// to: [values.size(), ElementBytes(type)] bytes. Returns the value that float16 cannot hold, if there is one: it is not
// sent as infinity, nor cut off.
std::optional<float> WriteElements(absl::Span<const float> values, v1::ElementType type, char* to);
// Likewise behind what is in *data.
std::optional<float> AppendElements(absl::Span<const float> values, v1::ElementType type, std::string* data);

// INVALID_ARGUMENT. whose: "clips[3]". field: that of the element type.
RequestFault BeyondFloat16(float value, std::string_view whose, std::string field);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_WRITE_MATRIX_H_
