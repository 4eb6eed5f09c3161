// Ctrl-C: the first one asks the program to end cleanly, the second ends it at once.

#ifndef HEARWIRE_CLIENT_CLI_INTERRUPT_H_
#define HEARWIRE_CLIENT_CLI_INTERRUPT_H_

#include <stop_token>

namespace hearwire::cli {

// Call it once, before any other thread is started. From then on SIGINT, SIGTERM and SIGHUP make InterruptToken() stop.
void WatchForInterrupts();

// Whether the program shall end: at once after the signal, while InterruptToken() takes a moment to stop. Thread-safe.
bool Interrupted();

// Stops when the program shall end. Thread-safe.
std::stop_token InterruptToken();

// Readable from the first interrupt on, for poll(); -1 when nobody watches.
int InterruptFd();

// What a program ends with that a signal has ended: 128 and the signal's number.
int InterruptExitCode();

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_INTERRUPT_H_
