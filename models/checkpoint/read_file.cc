#include "models/checkpoint/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/checkpoint/in_parallel.h"

namespace hearwire {

absl::StatusOr<FileBytes> ReadFile(const std::string& path, int64_t max_bytes, std::string_view what) {
  // O_NONBLOCK: a pipe without a writer is told from a file, not waited for.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, " cannot be opened"));
  const absl::Cleanup close_file = [file] { close(file); };
  struct stat info;
  if (fstat(file, &info) != 0) return absl::ErrnoToStatus(errno, path);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": not a regular file"));
  if (info.st_size > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has ", info.st_size, " bytes; ", std::string(what), " has at most ", max_bytes));
  }
  FileBytes bytes;
  bytes.size = static_cast<size_t>(info.st_size);
  bytes.data = std::make_unique_for_overwrite<char[]>(bytes.size);
  PreferHugePages(bytes.data.get(), bytes.size);
  for (size_t done = 0; done < bytes.size;) {
    const ssize_t count = read(file, bytes.data.get() + done, bytes.size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, " cannot be read"));
    if (count == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": shrank while it was read"));
    done += static_cast<size_t>(count);
  }
  return bytes;
}

}  // namespace hearwire
