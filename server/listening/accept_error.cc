#include "server/listening/accept_error.h"

#include <cerrno>

namespace hearwire {

AfterAcceptError ToAfterAcceptError(int error) {
  switch (error) {
    case EAGAIN:
      return AfterAcceptError::kWait;
    case EINTR:
    case ECONNABORTED:
    case EPERM:  // A firewall's.
    // accept(2): what the network has to say of the new connection.
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return AfterAcceptError::kNext;
    case EMFILE:
    case ENFILE:
      return AfterAcceptError::kMakeRoom;
    default:  // ENOBUFS, ENOMEM and what nobody knows of.
      return AfterAcceptError::kPause;
  }
}

}  // namespace hearwire
