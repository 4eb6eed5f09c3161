#include "server/audio/sample_source.h"

#include "absl/strings/str_format.h"

namespace hearwire {

absl::Status CutOffError(double found_seconds, double claimed_seconds) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "the file is cut off or damaged: %.3f s of audio found, %.3f s claimed", found_seconds, claimed_seconds));
}

}  // namespace hearwire
