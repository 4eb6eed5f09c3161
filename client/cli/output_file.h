// A file that appears whole or not at all, or a stream.

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

// ALREADY_EXISTS with advice when there is something at `path` that shall not be replaced and cannot be written into: a
// file without `force`, a folder, a socket, a disk. Links count as what they lead to.
absl::Status CheckMayWrite(const std::string& path, bool force);

// A named pipe or a character device, or a link to one.
bool IsPipeOrDevice(const std::string& path);

// Whether what is written to `path` goes out as it comes: a pipe, a device, or standard output by whatever name.
bool IsStream(const std::string& path);

// Where the links at `path` lead in the end, whether or not there is something.
std::string FollowLinks(const std::string& path);

// Written under a temporary name in the folder where it will be, and renamed by Commit when it is on the disk. Pipes
// and devices are written into instead, and never replaced. Not thread-safe.
class OutputFile {
 public:
  // path: "-" is standard output. Streams are written as the bytes come; opening a pipe waits for its reader. Of a
  // link, the file that it leads to is written. force: Commit replaces a file of this name; without it ALREADY_EXISTS,
  // here or, when the file has appeared meanwhile, in Commit. The folder must exist.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const std::string& path, bool force);

  // Removes what has not been committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Write(std::string_view bytes);
  // Replaces the file's first bytes. Not for streams.
  absl::Status Rewrite(std::string_view bytes);
  // Of a stream: what was written can be read now.
  absl::Status Flush();
  absl::Status Commit();

  // "they are in PATH", where Commit makes them appear under this name; empty for a stream.
  std::string kept() const { return temporary_.empty() ? "" : "they are in " + path_; }

 private:
  OutputFile(std::string path, std::string target, std::string temporary, std::FILE* file, bool force);
  absl::Status RenameTemporary();

  const std::string path_;       // As messages call it.
  const std::string target_;     // Where it leads.
  const std::string temporary_;  // Empty: a stream.
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
