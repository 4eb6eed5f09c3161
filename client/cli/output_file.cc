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

}  // namespace

absl::Status FileError(const std::string& path, int error) {
  return absl::Status(absl::ErrnoToStatusCode(error), absl::StrCat(path, ": ", std::generic_category().message(error)));
}

absl::Status CheckMayWrite(const std::string& path, bool force) {
  struct stat there = {};
  if (lstat(path.c_str(), &there) != 0) return absl::OkStatus();  // Creating it says what else is wrong.
  if (S_ISDIR(there.st_mode)) return absl::AlreadyExistsError(absl::StrCat(path, ": is a folder"));
  if (force) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(path, ": exists; --force replaces it"));
}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const std::string& path, bool force) {
  if (path == "-") return std::unique_ptr<OutputFile>(new OutputFile("standard output", "", stdout, true));
  if (absl::Status wrong = CheckMayWrite(path, force); !wrong.ok()) return wrong;
  const std::filesystem::path target(path);
  std::string temporary = (target.parent_path() / ("." + target.filename().string() + ".XXXXXX")).string();
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return FileError(path, errno);
  fchmod(fd, NewFileMode());
  return std::unique_ptr<OutputFile>(new OutputFile(path, temporary, fdopen(fd, "wb"), force));
}

OutputFile::OutputFile(std::string path, std::string temporary, std::FILE* file, bool force)
    : path_(std::move(path)), temporary_(std::move(temporary)), file_(file), force_(force) {}

OutputFile::~OutputFile() {
  if (file_ == nullptr || temporary_.empty()) return;
  std::fclose(file_);
  unlink(temporary_.c_str());
}

absl::Status OutputFile::Write(std::string_view bytes) {
  if (temporary_.empty()) {
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

absl::Status OutputFile::Commit() {
  if (temporary_.empty()) return FlushStandardOutput();
  if (std::fflush(file_) != 0) return FileError(path_, errno);
  // Where the file system knows it, without replacing what has appeared meanwhile.
  int result = force_ ? rename(temporary_.c_str(), path_.c_str())
                      : renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
  if (result != 0 && !force_ && (errno == EINVAL || errno == ENOSYS)) {
    if (absl::Status wrong = CheckMayWrite(path_, false); !wrong.ok()) return wrong;
    result = rename(temporary_.c_str(), path_.c_str());
  }
  if (result != 0) return errno == EEXIST ? CheckMayWrite(path_, false) : FileError(path_, errno);
  std::fclose(std::exchange(file_, nullptr));
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
