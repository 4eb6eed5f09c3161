// What a listener hands its connections to, and whom it tells of them.

#ifndef HEARWIRE_SERVER_LISTENING_CONNECTION_HANDLER_H_
#define HEARWIRE_SERVER_LISTENING_CONNECTION_HANDLER_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "server/listening/file_descriptor.h"
#include "server/listening/peer_address.h"

namespace hearwire {

// Who serves connections. Thread-safe.
class ConnectionHandler {
 public:
  // Of a connection, from their headers on.
  struct Calls {
    int64_t open = 0;
    int64_t so_far = 0;  // Open ones too.
  };

  virtual ~ConnectionHandler() = default;

  // Takes a connected, non-blocking socket over. uid: whose process is at the other end, of a socket of the machine.
  virtual void Serve(FileDescriptor socket, std::optional<uid_t> uid) = 0;
  // May take a fraction of a millisecond.
  virtual Calls CountCalls(const PeerAddress& peer) = 0;
};

// Who is told of connections. Thread-safe; never blocks.
class ConnectionEvents {
 public:
  enum class Refused {
    kLimit,         // Of all; no connection could go.
    kAddressLimit,  // Likewise of its address.
    kDescriptors,   // The process or the system has none left.
    kMemory,        // Likewise memory, or it is short.
  };
  enum class Closed {
    kEnded,           // By the other end, or by its handler.
    kMadeRoom,        // For another one.
    kRequestTimeout,  // A request on it had begun and did not arrive.
    kAge,             // It was too old, and did not end by itself.
    kMemory,          // It held more than others of what was left.
  };

  virtual ~ConnectionEvents() = default;
  virtual void OnAccepted() = 0;
  virtual void OnOpen(int64_t connections) = 0;  // Whenever that has changed.
  virtual void OnRefused(Refused reason) = 0;
  virtual void OnClosed(Closed reason) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_CONNECTION_HANDLER_H_
