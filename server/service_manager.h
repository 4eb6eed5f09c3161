// What systemd is told of a service of Type=notify, by sd_notify's protocol: datagrams of NAME=value lines to the
// socket that the environment variable NOTIFY_SOCKET names.

#ifndef HEARWIRE_SERVER_SERVICE_MANAGER_H_
#define HEARWIRE_SERVER_SERVICE_MANAGER_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"
#include "server/listening/file_descriptor.h"

namespace hearwire {

// Thread-safe. Nobody waits for the manager longer than a second; what it has not taken by then is lost, and logged.
class ServiceManager {
 public:
  // socket: a path from the root, or `@` and the name of an abstract socket; empty: nobody listens, and all is said to
  // nobody. INVALID_ARGUMENT: it is neither. Other codes: no socket is to be had. Whether somebody listens is not
  // tried.
  static absl::StatusOr<std::unique_ptr<ServiceManager>> Create(std::string_view socket);

  // Each also sets the line that `systemctl status` shows.
  void OnServing(std::string_view status);
  // Until the next OnServing. now: systemd tells reloads apart by it.
  void OnReloading(SteadyTime now);
  // For good: what follows is not told any more, for a reload may end later.
  void OnStopping(std::string_view status);
  void OnCannotStart(std::string_view error);

 private:
  explicit ServiceManager(FileDescriptor socket, sockaddr_un address = {}, socklen_t address_bytes = 0)
      : socket_(std::move(socket)), address_(address), address_bytes_(address_bytes) {}

  void Tell(std::string_view lines, std::string_view status, bool last = false) ABSL_LOCKS_EXCLUDED(mu_);

  const FileDescriptor socket_;  // Closed: nobody listens.
  const sockaddr_un address_;
  const socklen_t address_bytes_;

  Mutex mu_;  // Held while a datagram is sent, so that none passes another.
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_SERVICE_MANAGER_H_
