// The life of the program: start, serve, and end on a signal or when the device is lost.

#ifndef HEARWIRE_SERVER_RUN_SERVER_H_
#define HEARWIRE_SERVER_RUN_SERVER_H_

#include <string>
#include <vector>

#include "server/options.h"
#include "server/server.h"

namespace hearwire {

inline constexpr int kExitCannotStart = 1;  // Wrong options too.
inline constexpr int kExitDeviceLost = 70;
inline constexpr int kExitBatchHung = 72;
// kExitFault, 71, is in server/last_words.h.

// Serves until SIGTERM or SIGINT and returns the program's exit code. To be called first thing, while the process has
// one thread; the process must then end with std::_Exit, for threads are left behind.
//
// When it serves it writes two lines to standard output: `gRPC listening on ADDRESS:PORT` and
// `metrics listening on ADDRESS:PORT`. When it cannot start it writes one line to standard error.
// SIGTERM, SIGINT: lame duck, drain, 0; while it starts: 0 at once. One that follows
// within 100 ms is the same one; a later one ends the process with 128 + its number. SIGHUP reloads (Server::Reload),
// while it starts as soon as it serves. A lost device: health says NOT_SERVING, calls fail with UNAVAILABLE,
// kExitDeviceLost. A batch that runs for longer than batch_timeout: as a lost device, kExitBatchHung.
//
// When the environment names a NOTIFY_SOCKET, systemd is told of all this (server/service_manager.h): READY, RELOADING,
// STOPPING, and why it cannot start.
//
// Of `seams` the backend and the self-test count. warnings: for the log, first of all.
int RunServer(const ServerOptions& options, ServerSeams seams, const std::vector<std::string>& warnings = {});

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RUN_SERVER_H_
