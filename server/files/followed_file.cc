#include "server/files/followed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

absl::Status CannotRead(const std::string& path, const char* why) {
  return absl::FailedPreconditionError(absl::StrCat(path, " cannot be read: ", why));
}

}  // namespace

bool FollowedFile::Same(const Look& one, const Look& other) {
  if (!one || !other) return one.has_value() == other.has_value();
  const auto same_time = [](const timespec& a, const timespec& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
  };
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_size == other->st_size &&
         one->st_mode == other->st_mode && same_time(one->st_mtim, other->st_mtim) &&
         same_time(one->st_ctim, other->st_ctim);
}

FollowedFile::Look FollowedFile::Stat() const {
  struct ::stat look;
  return stat(path_.c_str(), &look) == 0 ? Look(look) : std::nullopt;
}

bool FollowedFile::HasChanged() const { return !was_read_ || !Same(look_, Stat()); }

absl::StatusOr<std::string> FollowedFile::Read() {
  // Before it is read: what changes meanwhile is seen the next time.
  look_ = Stat();
  was_read_ = true;
  const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return CannotRead(path_, std::strerror(errno));
  struct ::stat opened;
  std::string text;
  const char* why = nullptr;
  if (fstat(file, &opened) != 0 || !S_ISREG(opened.st_mode)) {
    why = "it is no regular file";
  } else {
    text.resize(kMaxBytes + 1);
    size_t size = 0;
    while (size < text.size()) {
      const ssize_t count = read(file, text.data() + size, text.size() - size);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) why = std::strerror(errno);
      if (count <= 0) break;
      size += static_cast<size_t>(count);
    }
    if (size > kMaxBytes) why = "it is larger than 4 MiB";
    text.resize(size);
  }
  close(file);
  if (why != nullptr) return CannotRead(path_, why);
  return text;
}

}  // namespace hearwire
