#include "server/listening/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

constexpr int kBacklog = 4096;  // The kernel takes its own limit where that is less.
constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;

// The permissions of files made while it lives, a socket's too: there is no moment in which it has wider ones. It
// counts for the whole process, whose other threads make no files then.
class Umask {
 public:
  explicit Umask(int mask) : before_(umask(static_cast<mode_t>(mask))) {}
  ~Umask() { umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  const mode_t before_;
};

// Binds and listens; an open descriptor, or errno.
FileDescriptor Listen(const sockaddr* address, socklen_t size, int* error) {
  FileDescriptor made(socket(address->sa_family, SOCK_STREAM | kFlags, 0));
  *error = errno;
  if (!made.is_open()) return made;
  if (address->sa_family != AF_UNIX) {
    const int on = 1;
    setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  if (address->sa_family == AF_INET6) {
    const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(address);
    const int only_ipv6 = IN6_IS_ADDR_UNSPECIFIED(&ipv6->sin6_addr) ? 0 : 1;
    setsockopt(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof(only_ipv6));
  }
  if (bind(made.get(), address, size) == 0 && listen(made.get(), kBacklog) == 0) return made;
  *error = errno;
  return FileDescriptor();
}

int PortOf(int socket) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

void SetPort(int port, sockaddr* address) {
  const auto value = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(address)->sin6_port = value;
  if (address->sa_family == AF_INET) reinterpret_cast<sockaddr_in*>(address)->sin_port = value;
}

std::string Reason(int error, const std::string& host) {
  switch (error) {
    case EADDRINUSE:
      return "the port is taken";
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return host + " is no address of this machine";
    case EACCES:
      return "this user may not take that port";
    default:
      return std::strerror(error);
  }
}

std::string WithoutBrackets(const std::string& host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

// One that a program has left behind may go; not one in use, and no file.
absl::Status RemoveLeftSocket(const std::string& path) {
  const FileDescriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = UnixAddress(path);
  if (client.is_open() && connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen on --unix-socket ", path, ": another program listens there"));
  }
  struct stat found;
  if (lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) unlink(path.c_str());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ListeningSockets> ListenOnTcp(const std::string& host, int port) {
  const std::string bare = WithoutBrackets(host);
  const bool is_any = bare == "0.0.0.0" || bare == "::";
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const std::string where =
      absl::StrCat(host.find(':') != std::string::npos ? absl::StrCat("[", bare, "]") : host, ":", port, " for gRPC");
  if (getaddrinfo(is_any ? nullptr : bare.c_str(), absl::StrCat(port).c_str(), &hints, &list) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen on ", where, ": ", host, " is no address of this machine, and no name of one"));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(list, freeaddrinfo);
  ListeningSockets listening;
  int error = EADDRNOTAVAIL;
  const auto listen_on = [&](int family) {
    for (addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
      if (address->ai_family != family) continue;
      SetPort(listening.sockets.empty() ? port : listening.port, address->ai_addr);
      FileDescriptor made = Listen(address->ai_addr, address->ai_addrlen, &error);
      if (!made.is_open()) continue;
      listening.port = PortOf(made.get());
      listening.sockets.push_back(std::move(made));
    }
  };
  // A socket on :: takes IPv4 too.
  listen_on(is_any ? AF_INET6 : AF_INET);
  const bool goes_on = is_any ? listening.sockets.empty() && error != EADDRINUSE : true;
  if (goes_on) listen_on(is_any ? AF_INET : AF_INET6);
  if (!listening.sockets.empty()) return listening;
  return absl::FailedPreconditionError(absl::StrCat("cannot listen on ", where, ": ", Reason(error, host)));
}

absl::StatusOr<FileDescriptor> ListenOnUnixSocket(const std::string& path, int mode) {
  if (absl::Status status = RemoveLeftSocket(path); !status.ok()) return status;
  const sockaddr_un address = UnixAddress(path);
  const Umask umask(0777 & ~mode);
  int error = 0;
  FileDescriptor made = Listen(reinterpret_cast<const sockaddr*>(&address), sizeof(address), &error);
  if (made.is_open()) return made;
  return absl::FailedPreconditionError(
      absl::StrCat("cannot listen on --unix-socket ", path,
                   ": its folder is not there, or this user may not write there, or the name is taken by a file (",
                   std::strerror(error), ")"));
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat found;
  if (path_.empty() || lstat(path_.c_str(), &found) != 0) return;
  device_ = found.st_dev;
  inode_ = found.st_ino;
}

void SocketFile::Remove() const {
  struct stat found;
  if (inode_ == 0 || lstat(path_.c_str(), &found) != 0) return;
  // A successor may have taken the name meanwhile.
  if (found.st_dev == device_ && found.st_ino == inode_) unlink(path_.c_str());
}

}  // namespace hearwire
