// Files that an operator loads: checkpoints, their pickle alone, and heads.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/pickle.h"
#include "models/heads/head.h"

// The first byte says which reader the others are for.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      (void)hearwire::ParseCheckpoint(bytes, "the file");
      break;
    case 1:
      (void)hearwire::ReadTensorPickle(bytes);
      break;
    case 2:
      (void)hearwire::ParseHead(bytes, "the head");
      break;
  }
  return 0;
}
