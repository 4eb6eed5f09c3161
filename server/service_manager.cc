#include "server/service_manager.h"

#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

constexpr timeval kMostWait = {.tv_sec = 1, .tv_usec = 0};
constexpr size_t kMostStatusBytes = 1000;

// One line of ASCII: systemd drops a datagram that is not UTF-8, and messages may hold names of files.
std::string StatusLine(std::string_view status) {
  std::string line(status.substr(0, kMostStatusBytes));
  for (char& byte : line) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(byte))) byte = absl::ascii_isspace(byte) ? ' ' : '?';
  }
  return line;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServiceManager>> ServiceManager::Create(std::string_view socket) {
  if (socket.empty()) return std::unique_ptr<ServiceManager>(new ServiceManager(FileDescriptor()));
  const bool is_path = socket[0] == '/';
  if (socket.size() < 2 || (!is_path && socket[0] != '@')) {
    return absl::InvalidArgumentError(absl::StrCat("NOTIFY_SOCKET=", std::string(socket),
                                                   " is neither a path from the root nor @ and an abstract name"));
  }
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // A path ends with a null byte; an abstract name begins with one, which is written as @, and ends with its last.
  const size_t bytes = socket.size() + (is_path ? 1 : 0);
  if (bytes > sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("NOTIFY_SOCKET=", std::string(socket), " has ", socket.size(),
                                                   " bytes: a socket's name has ", sizeof(address.sun_path) - 1,
                                                   " at most"));
  }
  std::memcpy(address.sun_path, socket.data(), socket.size());
  if (!is_path) address.sun_path[0] = '\0';
  FileDescriptor made(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!made.is_open() || setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &kMostWait, sizeof(kMostWait)) != 0) {
    return absl::ErrnoToStatus(errno, "no socket to tell the service manager by");
  }
  return std::unique_ptr<ServiceManager>(
      new ServiceManager(std::move(made), address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes)));
}

void ServiceManager::OnServing(std::string_view status) { Tell("READY=1\n", status); }

void ServiceManager::OnReloading(SteadyTime now) {
  // steady_clock is CLOCK_MONOTONIC, which is what the protocol means.
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now.ToChrono().time_since_epoch());
  Tell(absl::StrCat("RELOADING=1\nMONOTONIC_USEC=", since.count(), "\n"), "reloading");
}

void ServiceManager::OnStopping(std::string_view status) { Tell("STOPPING=1\n", status, /*last=*/true); }

void ServiceManager::OnCannotStart(std::string_view error) {
  Tell("", absl::StrCat("cannot start: ", std::string(error)));
}

void ServiceManager::Tell(std::string_view lines, std::string_view status, bool last) {
  if (!socket_.is_open()) return;
  const std::string text = absl::StrCat(std::string(lines), "STATUS=", StatusLine(status));
  MutexLock lock(&mu_);
  if (stopping_) return;
  stopping_ = last;
  if (sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address_),
             address_bytes_) < 0) {
    Log(LogLevel::kWarning, "the service manager is not told",
        {{"what", text}, {"error", absl::ErrnoToStatus(errno, "NOTIFY_SOCKET")}});
  }
}

}  // namespace hearwire
