// The bytes of a whole file that somebody else wrote.

#ifndef HEARWIRE_MODELS_CHECKPOINT_READ_FILE_H_
#define HEARWIRE_MODELS_CHECKPOINT_READ_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hearwire {

// Not a string: large files are not filled with zeros before they are read.
struct FileBytes {
  std::unique_ptr<char[]> data;
  size_t size = 0;

  std::string_view view() const { return {data.get(), size}; }
};

// Reads the file. NOT_FOUND, PERMISSION_DENIED or what else the system says when it cannot be opened or read;
// INVALID_ARGUMENT when it is a folder, a device or larger than `max_bytes`, which `what` ("a checkpoint") has at most.
// Every message begins with the path.
absl::StatusOr<FileBytes> ReadFile(const std::string& path, int64_t max_bytes, std::string_view what);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_READ_FILE_H_
