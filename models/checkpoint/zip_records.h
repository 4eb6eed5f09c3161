// The records of a zip archive held in memory, as views into it: nothing is copied and nothing unpacked.

#ifndef HEARWIRE_MODELS_CHECKPOINT_ZIP_RECORDS_H_
#define HEARWIRE_MODELS_CHECKPOINT_ZIP_RECORDS_H_

#include <map>
#include <string_view>

#include "absl/status/statusor.h"

namespace hearwire {

using ZipRecords = std::map<std::string_view, std::string_view>;  // Bytes by name.

// Reads the archive's central directory, then checks every record's bounds and CRC-32. The views live as long as
// `bytes`. INVALID_ARGUMENT names the record and what is wrong with it: compressed, encrypted, outside the archive,
// overlapping others, damaged, there twice. Archives of 4 GiB and more are refused.
absl::StatusOr<ZipRecords> ReadZipRecords(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_ZIP_RECORDS_H_
