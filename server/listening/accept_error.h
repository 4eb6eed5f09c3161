// What to do when accept fails. A listener goes on whatever happens.

#ifndef HEARWIRE_SERVER_LISTENING_ACCEPT_ERROR_H_
#define HEARWIRE_SERVER_LISTENING_ACCEPT_ERROR_H_

namespace hearwire {

enum class AfterAcceptError {
  kWait,      // Nobody is there any more.
  kNext,      // It went away, or its network did: on to the next.
  kMakeRoom,  // No descriptor is left: with a kept one it can be taken and closed, so that it does not stay.
  kPause,     // The system has no memory, or something is wrong that may pass: look again in a moment.
};

// error: errno.
AfterAcceptError ToAfterAcceptError(int error);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_ACCEPT_ERROR_H_
