#include "client/cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire::cli {
namespace {

int standard_output_error = 0;  // errno's value at the first failure; it is another's a moment later.

// As a file has that a shell's redirection makes.
mode_t NewFileMode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

constexpr int kMostLinks = 40;  // In a row, as in Linux.

bool IsPipeOrDevice(const struct stat& there) { return S_ISFIFO(there.st_mode) || S_ISCHR(there.st_mode); }

// /dev/stdout, for example, wherever it leads.
bool IsStandardOutput(const std::string& path) {
  struct stat there = {};
  struct stat output = {};
  return stat(path.c_str(), &there) == 0 && fstat(STDOUT_FILENO, &output) == 0 && there.st_dev == output.st_dev &&
         there.st_ino == output.st_ino;
}

absl::Status Exists(const std::string& path) {
  return absl::AlreadyExistsError(absl::StrCat(path, ": exists; --force replaces it"));
}

}  // namespace

absl::Status FileError(const std::string& path, int error) {
  return absl::Status(absl::ErrnoToStatusCode(error), absl::StrCat(path, ": ", std::generic_category().message(error)));
}

absl::Status CheckMayWrite(const std::string& path, bool force) {
  struct stat there = {};
  if (stat(path.c_str(), &there) != 0) {
    // Creating it says what else is wrong.
    return errno == ELOOP ? FileError(path, errno) : absl::OkStatus();
  }
  if (IsPipeOrDevice(there)) return absl::OkStatus();
  if (!S_ISREG(there.st_mode)) {
    const char* what = S_ISDIR(there.st_mode) ? "folder" : S_ISSOCK(there.st_mode) ? "socket" : "disk";
    return absl::AlreadyExistsError(absl::StrCat(path, ": is a ", what, "; a file's name would be right"));
  }
  if (force) return absl::OkStatus();
  return Exists(path);
}

bool IsPipeOrDevice(const std::string& path) {
  struct stat there = {};
  return stat(path.c_str(), &there) == 0 && IsPipeOrDevice(there);
}

bool IsStream(const std::string& path) { return path == "-" || IsStandardOutput(path) || IsPipeOrDevice(path); }

std::string FollowLinks(const std::string& path) {
  std::filesystem::path target(path);
  for (int links = 0; links < kMostLinks; ++links) {
    std::error_code no_link;
    const std::filesystem::path next = std::filesystem::read_symlink(target, no_link);
    if (no_link) break;
    target = target.parent_path() / next;
  }
  return target.string();
}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const std::string& path, bool force) {
  if (path == "-" || IsStandardOutput(path)) {
    return std::unique_ptr<OutputFile>(new OutputFile("standard output", "", "", stdout, true));
  }
  if (absl::Status wrong = CheckMayWrite(path, force); !wrong.ok()) return wrong;
  if (IsPipeOrDevice(path)) {
    const int fd = open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return FileError(path, errno);
    return std::unique_ptr<OutputFile>(new OutputFile(path, path, "", fdopen(fd, "wb"), force));
  }
  const std::filesystem::path target(FollowLinks(path));
  std::string temporary = (target.parent_path() / absl::StrCat(".", target.filename().string(), ".XXXXXX")).string();
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return FileError(path, errno);
  fchmod(fd, NewFileMode());
  return std::unique_ptr<OutputFile>(new OutputFile(path, target.string(), temporary, fdopen(fd, "wb"), force));
}

OutputFile::OutputFile(std::string path, std::string target, std::string temporary, std::FILE* file, bool force)
    : path_(std::move(path)),
      target_(std::move(target)),
      temporary_(std::move(temporary)),
      file_(file),
      force_(force) {}

OutputFile::~OutputFile() {
  if (file_ == nullptr || file_ == stdout) return;
  std::fclose(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status OutputFile::Write(std::string_view bytes) {
  if (file_ == stdout) {
    Print(bytes);
    return standard_output_error == 0 ? absl::OkStatus() : FileError(path_, standard_output_error);
  }
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) return FileError(path_, errno);
  return absl::OkStatus();
}

absl::Status OutputFile::Rewrite(std::string_view bytes) {
  if (std::fseek(file_, 0, SEEK_SET) != 0) return FileError(path_, errno);
  return Write(bytes);
}

absl::Status OutputFile::Flush() {
  if (file_ == stdout) return FlushStandardOutput();
  if (temporary_.empty() && std::fflush(file_) != 0) return FileError(path_, errno);
  return absl::OkStatus();
}

absl::Status OutputFile::Commit() {
  if (file_ == stdout) return FlushStandardOutput();
  if (std::fflush(file_) != 0) return FileError(path_, errno);
  // A name never leads to bytes that a crash could lose. Some file systems tell only when a file is closed that there
  // was no room for it.
  if (!temporary_.empty() && fsync(fileno(file_)) != 0) return FileError(path_, errno);
  if (std::fclose(std::exchange(file_, nullptr)) != 0) {
    const int error = errno;
    if (!temporary_.empty()) unlink(temporary_.c_str());
    return FileError(path_, error);
  }
  if (temporary_.empty()) return absl::OkStatus();
  absl::Status renamed = RenameTemporary();
  if (!renamed.ok()) unlink(temporary_.c_str());
  return renamed;
}

absl::Status OutputFile::RenameTemporary() {
  // Where the file system knows it, without replacing what has appeared meanwhile.
  int result = force_ ? rename(temporary_.c_str(), target_.c_str())
                      : renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE);
  if (result != 0 && !force_ && (errno == EINVAL || errno == ENOSYS)) {
    struct stat there = {};
    if (lstat(target_.c_str(), &there) == 0) return Exists(path_);
    result = rename(temporary_.c_str(), target_.c_str());
  }
  if (result != 0) return errno == EEXIST ? Exists(path_) : FileError(path_, errno);
  return absl::OkStatus();
}

void Print(std::string_view text) {
  const bool failed = std::fwrite(text.data(), 1, text.size(), stdout) != text.size();
  if (failed && standard_output_error == 0) standard_output_error = errno;
}

absl::Status FlushStandardOutput() {
  if (std::fflush(stdout) != 0 && standard_output_error == 0) standard_output_error = errno;
  return standard_output_error == 0 ? absl::OkStatus() : FileError("standard output", standard_output_error);
}

}  // namespace hearwire::cli
