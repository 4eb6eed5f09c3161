// Whether a file is what a checkpoint should be.

#ifndef HEARWIRE_CLIENT_CLI_CHECKPOINT_FILE_H_
#define HEARWIRE_CLIENT_CLI_CHECKPOINT_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hearwire::cli {

struct FileSummary {
  int64_t bytes = 0;
  std::string sha256;  // Lower-case hexadecimal.
};
absl::StatusOr<FileSummary> SummariseFile(const std::string& path);

// INVALID_ARGUMENT unless the file is a zip archive to its end with a pickle in it, as checkpoints are. It catches
// error pages and truncated files; the server reads checkpoints in earnest.
absl::Status CheckLooksLikeCheckpoint(const std::string& path);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_CHECKPOINT_FILE_H_
