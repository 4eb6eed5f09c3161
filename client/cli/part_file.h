// What has been fetched of a file so far, kept across runs.

#ifndef HEARWIRE_CLIENT_CLI_PART_FILE_H_
#define HEARWIRE_CLIENT_CLI_PART_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hearwire::cli {

// PATH.part, and beside it PATH.part.source, which says where its bytes are from: the URL and the validator (entity tag
// or date) that the server gave with them. Not thread-safe; other programs are kept out by a lock.
class PartFile {
 public:
  // Opens or makes PATH.part; where PATH is a link to a file, that file's. Bytes of another URL or without a validator
  // are dropped: nobody could tell whether they are still of the same file. ALREADY_EXISTS: another program has it
  // open, or PATH is a folder or a socket.
  static absl::StatusOr<std::unique_ptr<PartFile>> Open(const std::string& path, const std::string& url);

  ~PartFile();  // Leaves the files where they are.
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const std::string& path() const { return part_path_; }
  int64_t size() const { return size_; }
  const std::string& validator() const { return validator_; }
  // Those of its bytes that were there when it was opened.
  int64_t earlier_bytes() const { return earlier_bytes_; }

  // Drops all bytes; those that follow come with this validator, which may be empty.
  absl::Status Restart(const std::string& validator);
  absl::Status Append(std::string_view bytes);
  // Brings it to the disk and gives it its name, replacing the file that has that name. A pipe or a device is written
  // into instead.
  absl::Status Rename();
  void Remove();

 private:
  PartFile(std::string path, std::string url, int fd);
  absl::Status CopyAndRemove();

  const std::string path_;
  const std::string part_path_;
  const std::string source_path_;
  const std::string url_;
  const int fd_;
  int64_t size_ = 0;
  int64_t earlier_bytes_ = 0;
  std::string validator_;
};

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_PART_FILE_H_
