// A small file that others may replace while the program runs: a certificate, a list of tokens.

#ifndef HEARWIRE_SERVER_FILES_FOLLOWED_FILE_H_
#define HEARWIRE_SERVER_FILES_FOLLOWED_FILE_H_

#include <sys/stat.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace hearwire {

// Not thread-safe.
class FollowedFile {
 public:
  static constexpr size_t kMaxBytes = 4 << 20;

  explicit FollowedFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }

  // Whether the file looks other than it did when Read began: another file has its name (links are followed), or its
  // size or one of its times differs. True before the first Read.
  bool HasChanged() const;

  // All of it. FAILED_PRECONDITION says what is wrong: it is not there, not readable, no regular file, or larger than
  // kMaxBytes. Never waits for a writer, as a FIFO would make it.
  absl::StatusOr<std::string> Read();

 private:
  // How the file looks; nothing where there is none.
  using Look = std::optional<struct ::stat>;
  static bool Same(const Look& one, const Look& other);
  Look Stat() const;

  const std::string path_;
  bool was_read_ = false;
  Look look_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_FILES_FOLLOWED_FILE_H_
