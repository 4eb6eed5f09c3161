// A socket as systemd has one for a service of Type=notify.

#ifndef HEARWIRE_TESTS_SERVER_NOTIFY_SOCKET_H_
#define HEARWIRE_TESTS_SERVER_NOTIFY_SOCKET_H_

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

namespace hearwire {

class NotifySocket {
 public:
  // name: as NOTIFY_SOCKET has it, with @ for an abstract one.
  explicit NotifySocket(const std::string& name) : name_(name), fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const bool is_path = name[0] == '/';
    if (is_path) {
      unlink(name.c_str());
    } else {
      address.sun_path[0] = '\0';
    }
    const size_t bytes = offsetof(sockaddr_un, sun_path) + name.size() + (is_path ? 1 : 0);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(bytes)), 0) << name;
  }
  ~NotifySocket() {
    close(fd_);
    if (name_[0] == '/') unlink(name_.c_str());
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  const std::string& name() const { return name_; }

  // The next datagram; empty when none comes within 30 seconds, or at once when `now`.
  std::string Read(bool now = false) {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, now ? 0 : 30000) <= 0) return "";
    char bytes[4096];
    const ssize_t read = recv(fd_, bytes, sizeof(bytes), 0);
    return std::string(bytes, read > 0 ? static_cast<size_t>(read) : 0);
  }

 private:
  const std::string name_;
  const int fd_;
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_NOTIFY_SOCKET_H_
