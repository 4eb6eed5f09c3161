// Reads files in the safetensors format: a JSON header of names, shapes and places, then raw numbers. Nothing in a file
// is executed.
//
// Hearwire's heads are such files. Only float32 tensors are read, which must fill the data without gaps or overlaps, as
// the format wants it.

#ifndef HEARWIRE_MODELS_HEADS_SAFETENSORS_H_
#define HEARWIRE_MODELS_HEADS_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "models/checkpoint/checkpoint.h"

namespace hearwire {

inline constexpr int64_t kMaxSafetensorsHeaderBytes = 1 << 20;

struct Safetensors {
  std::map<std::string, Tensor, std::less<>> tensors;        // By name.
  std::map<std::string, std::string, std::less<>> metadata;  // The header's __metadata__.
};

// INVALID_ARGUMENT says what is wrong and what would be right: a header that is longer than the file or than
// kMaxSafetensorsHeaderBytes, that is no JSON object, or has a name twice; a tensor of another type than F32, whose
// shape does not fit its offsets, that lies outside the data or on another tensor; bytes that belong to no tensor.
// Time and memory are bounded by a small multiple of the file's size, whatever it claims.
absl::StatusOr<Safetensors> ParseSafetensors(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_HEADS_SAFETENSORS_H_
