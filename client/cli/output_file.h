// A file that appears whole or not at all.

#ifndef HEARWIRE_CLIENT_CLI_OUTPUT_FILE_H_
#define HEARWIRE_CLIENT_CLI_OUTPUT_FILE_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hearwire::cli {

// "PATH: what went wrong", with the code that belongs to errno's value: NOT_FOUND, PERMISSION_DENIED,
// RESOURCE_EXHAUSTED for a full disk, …
absl::Status FileError(const std::string& path, int error);

// ALREADY_EXISTS with advice when there is something at `path` and it shall not be replaced.
absl::Status CheckMayWrite(const std::string& path, bool force);

// Written under a temporary name in the same folder and renamed by Commit. Not thread-safe.
class OutputFile {
 public:
  // path: "-" is standard output, which is written as it comes. force: Commit replaces a file of this name; without it
  // ALREADY_EXISTS, here or, when the file has appeared meanwhile, in Commit. The folder must exist.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const std::string& path, bool force);

  // Removes what has not been committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Write(std::string_view bytes);
  // Replaces the file's first bytes. Not for standard output.
  absl::Status Rewrite(std::string_view bytes);
  absl::Status Commit();

 private:
  OutputFile(std::string path, std::string temporary, std::FILE* file, bool force);

  const std::string path_;
  const std::string temporary_;  // Empty: standard output.
  std::FILE* file_;              // Owned unless it is stdout; null once committed.
  const bool force_;
};

// Writes to standard output's buffer. FlushStandardOutput says what went wrong, however much later it is called. Not
// thread-safe.
void Print(std::string_view text);

// Writes the whole of standard output's buffer, and fails when anything before it did. A reader that has gone away ends
// the program quietly, by SIGPIPE.
absl::Status FlushStandardOutput();

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_OUTPUT_FILE_H_
