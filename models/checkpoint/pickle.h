// Reads the pickle of a checkpoint: a dict from names to tensors. Nothing in it is executed.
//
// A machine for the opcodes that such files use (protocol 2) and for four globals: collections.OrderedDict,
// torch._utils._rebuild_tensor_v2, torch.FloatStorage and torch.LongStorage. It calls neither of them but notes what
// they were to make.

#ifndef HEARWIRE_MODELS_CHECKPOINT_PICKLE_H_
#define HEARWIRE_MODELS_CHECKPOINT_PICKLE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hearwire {

// A tensor as the pickle describes it: a view of a storage whose bytes are elsewhere. Its numbers are as found, any
// 32-bit values: whoever reads the storage checks them.
struct PickledTensor {
  std::string_view name = {};
  std::string_view storage_key;  // Names the record with the storage's bytes.
  int64_t storage_size = 0;      // In values.
  bool is_long = false;          // Long (64-bit integers), else float.
  int64_t offset = 0;            // Of the first value in the storage. In values, like the strides.
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

// Tensors in the pickle's order; the views live as long as `pickle`.
// INVALID_ARGUMENT says at which byte what is wrong: an opcode or global that checkpoints do not use, a value of the
// wrong kind, a name twice, more than 8 axes, a pickle of more than 1 MiB (a network's has 50 kB). Time and memory are
// bounded by a small multiple of the pickle's size.
absl::StatusOr<std::vector<PickledTensor>> ReadTensorPickle(std::string_view pickle);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_PICKLE_H_
