// Sockets that listen.

#ifndef HEARWIRE_SERVER_LISTENING_LISTENING_SOCKETS_H_
#define HEARWIRE_SERVER_LISTENING_LISTENING_SOCKETS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/listening/file_descriptor.h"

namespace hearwire {

struct ListeningSockets {
  std::vector<FileDescriptor> sockets;  // Non-blocking.
  int port = 0;                         // Of TCP.
};

// host: an address, with or without brackets, or a name, of which all addresses are listened on. Of 0.0.0.0 and :: both
// mean every address of both kinds, where the machine has IPv6. port 0: a free one. No other program can share the
// port. FAILED_PRECONDITION, in one line: the port is taken, host is no address of this machine, or what else the
// system says.
absl::StatusOr<ListeningSockets> ListenOnTcp(const std::string& host, int port);

// A socket of the machine that has these permissions from its first moment on. One that a program has left behind is
// replaced; one in use, or a file of that name, is not. FAILED_PRECONDITION says why.
absl::StatusOr<FileDescriptor> ListenOnUnixSocket(const std::string& path, int mode);

// The name of a socket, as long as it is the one that was made. Destroying this changes nothing.
class SocketFile {
 public:
  // To be made right after the socket; an empty path: none.
  explicit SocketFile(std::string path);
  void Remove() const;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_LISTENING_SOCKETS_H_
