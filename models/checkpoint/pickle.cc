#include "models/checkpoint/pickle.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/checkpoint/pickle_machine.h"

namespace hearwire {
namespace {

constexpr size_t kMaxPickleBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::vector<PickledTensor>> ReadTensorPickle(std::string_view pickle) {
  if (pickle.size() > kMaxPickleBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the pickle has ", pickle.size(), " bytes; a checkpoint's has at most ", kMaxPickleBytes));
  }
  return PickleMachine(pickle).Run();
}

}  // namespace hearwire
