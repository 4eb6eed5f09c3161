#include "server/audio/sample_source.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hearwire {

absl::Status CutOffError(double found_seconds, double claimed_seconds) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "the file is cut off or damaged: %.3f s of audio found, %.3f s claimed", found_seconds, claimed_seconds));
}

absl::Status CutOffBytesError(uint64_t found, uint64_t claimed, double bytes_per_second) {
  const std::string bytes = absl::StrFormat("%d of %d bytes of audio are there", found, claimed);
  if (bytes_per_second <= 0) return absl::InvalidArgumentError("the file is cut off or damaged: " + bytes);
  const double found_seconds = static_cast<double>(found) / bytes_per_second;
  const double claimed_seconds = static_cast<double>(claimed) / bytes_per_second;
  return absl::InvalidArgumentError(
      absl::StrCat(CutOffError(found_seconds, claimed_seconds).message(), " (", bytes, ")"));
}

}  // namespace hearwire
