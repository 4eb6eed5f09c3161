#include "client/cli/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/output_file.h"

namespace hearwire::cli {
namespace {

// Opens and locks the file that has this name when the lock is got: another program may just have renamed it.
absl::StatusOr<int> OpenLocked(const std::string& path) {
  for (;;) {
    struct stat there = {};
    if (lstat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat(path, ": is in the way: it is no regular file"));
    }
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return FileError(path, errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      close(fd);
      return absl::AlreadyExistsError(absl::StrCat(path, ": another program is fetching it"));
    }
    struct stat opened = {};
    struct stat named = {};
    if (fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino) return fd;
    close(fd);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<PartFile>> PartFile::Open(const std::string& path, const std::string& url) {
  if (absl::Status wrong = CheckMayWrite(path, /*force=*/true); !wrong.ok()) return wrong;
  const std::string target = IsPipeOrDevice(path) ? path : FollowLinks(path);
  const absl::StatusOr<int> fd = OpenLocked(target + ".part");
  if (!fd.ok()) return fd.status();
  std::unique_ptr<PartFile> part(new PartFile(target, url, *fd));
  std::ifstream source(part->source_path_);
  std::string source_url;
  std::getline(source, source_url);
  std::getline(source, part->validator_);
  if (source_url == url && !part->validator_.empty()) {
    part->size_ = part->earlier_bytes_ = lseek(part->fd_, 0, SEEK_END);
  } else if (absl::Status wrong = part->Restart(""); !wrong.ok()) {
    return wrong;
  }
  return part;
}

PartFile::PartFile(std::string path, std::string url, int fd)
    : path_(std::move(path)),
      part_path_(path_ + ".part"),
      source_path_(path_ + ".part.source"),
      url_(std::move(url)),
      fd_(fd) {}

PartFile::~PartFile() { close(fd_); }

absl::Status PartFile::Restart(const std::string& validator) {
  if (ftruncate(fd_, 0) != 0 || lseek(fd_, 0, SEEK_SET) != 0) return FileError(part_path_, errno);
  size_ = earlier_bytes_ = 0;
  validator_ = validator;
  std::ofstream source(source_path_, std::ios::trunc);
  source << url_ << '\n' << validator_ << '\n';
  if (!source.flush()) return FileError(source_path_, errno);
  return absl::OkStatus();
}

absl::Status PartFile::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(part_path_, errno);
    size_ += count;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status PartFile::Rename() {
  if (IsPipeOrDevice(path_)) return CopyAndRemove();
  if (fsync(fd_) != 0) return FileError(part_path_, errno);
  if (rename(part_path_.c_str(), path_.c_str()) != 0) return FileError(path_, errno);
  unlink(source_path_.c_str());
  return absl::OkStatus();
}

absl::Status PartFile::CopyAndRemove() {
  const auto output = OutputFile::Create(path_, /*force=*/true);
  if (!output.ok()) return output.status();
  std::string buffer(size_t{1} << 20, '\0');
  for (off_t offset = 0;;) {
    const ssize_t count = pread(fd_, buffer.data(), buffer.size(), offset);
    if (count < 0) return FileError(part_path_, errno);
    if (count == 0) break;
    if (absl::Status wrong = (*output)->Write({buffer.data(), static_cast<size_t>(count)}); !wrong.ok()) return wrong;
    offset += count;
  }
  if (absl::Status wrong = (*output)->Commit(); !wrong.ok()) return wrong;
  Remove();
  return absl::OkStatus();
}

void PartFile::Remove() {
  unlink(part_path_.c_str());
  unlink(source_path_.c_str());
}

}  // namespace hearwire::cli
