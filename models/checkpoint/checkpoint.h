// Reads checkpoints in PyTorch's file format without PyTorch, and without executing anything.
//
// A checkpoint is a zip archive of stored records: FOLDER/data.pkl, a pickle of a dict (or OrderedDict) from names to
// float and long tensors, and FOLDER/data/N, the tensors' bytes. The pickle is read by a machine that knows only the
// opcodes such files use and only four globals: collections.OrderedDict, torch._utils._rebuild_tensor_v2,
// torch.FloatStorage and torch.LongStorage. Anything else is refused by name.

#ifndef HEARWIRE_MODELS_CHECKPOINT_CHECKPOINT_H_
#define HEARWIRE_MODELS_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/read_file.h"

namespace hearwire {

// A float tensor, contiguous, row-major. Long tensors (batch counters) are checked and dropped.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct Checkpoint {
  std::map<std::string, Tensor, std::less<>> tensors;  // By name.
  std::string sha256;                                  // Of the file's bytes, lower-case hexadecimal.
};

// Reads a checkpoint from memory. `name` is what messages call it. On failure INVALID_ARGUMENT says what is wrong with
// which record: not a zip, truncated, a compressed record, a foreign global, a tensor outside its storage, …
// Memory used is bounded by the file's size, whatever it claims.
absl::StatusOr<Checkpoint> ParseCheckpoint(std::string_view bytes, std::string_view name);

// The bytes of a checkpoint file. Failures as of LoadCheckpoint, but for what is in it.
absl::StatusOr<FileBytes> ReadCheckpoint(const std::string& path);

// Reads a checkpoint file. NOT_FOUND, PERMISSION_DENIED or what else the system says when it cannot be opened or read,
// INVALID_ARGUMENT when it is a folder, a device or larger than 2 GiB, else as ParseCheckpoint.
absl::StatusOr<Checkpoint> LoadCheckpoint(const std::string& path);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_CHECKPOINT_H_
