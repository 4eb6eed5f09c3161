// The self-test without a server: what it would find out before it serves.

#ifndef HEARWIRE_SERVER_CHECK_SERVER_H_
#define HEARWIRE_SERVER_CHECK_SERVER_H_

#include "server/options.h"
#include "server/server.h"

namespace hearwire {

// Loads the networks, starts the workers and tests them; opens no port. Returns the program's exit code: 0 after a line
// on standard output for each thing tested, with the largest error found there, or kExitCannotStart after one line on
// standard error that says what is wrong. Of `seams` the backends and the self-test count.
int CheckServer(const ServerOptions& options, const ServerSeams& seams);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CHECK_SERVER_H_
