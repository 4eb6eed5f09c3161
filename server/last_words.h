// How the process ends when an exception reaches the end of a thread: see server/concurrency/border.h.

#ifndef HEARWIRE_SERVER_LAST_WORDS_H_
#define HEARWIRE_SERVER_LAST_WORDS_H_

#include "server/telemetry/log.h"

namespace hearwire {

// Memory or threads ran out where nothing can be contained, or a library threw what it should not.
inline constexpr int kExitFault = 71;

// From now on std::terminate writes one line to standard error, which says what was thrown, and ends the process with
// kExitFault. The line is made without memory of its own, and past the log's writer, whose waiting lines are lost.
void InstallLastWords(LogFormat format);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LAST_WORDS_H_
