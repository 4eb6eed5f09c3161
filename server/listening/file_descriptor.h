// A file descriptor that closes itself.

#ifndef HEARWIRE_SERVER_LISTENING_FILE_DESCRIPTOR_H_
#define HEARWIRE_SERVER_LISTENING_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace hearwire {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}  // Owns it; -1: none.
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = other.Release();
    }
    return *this;
  }
  ~FileDescriptor() { Close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  // What close says is of no use here: Linux has freed the number whatever it returns.
  void Close() {
    if (fd_ >= 0) close(Release());
  }

 private:
  int fd_ = -1;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_FILE_DESCRIPTOR_H_
