// Ctrl-C: the first one asks the program to end cleanly, the second ends it at once.

#ifndef HEARWIRE_CLIENT_CLI_INTERRUPT_H_
#define HEARWIRE_CLIENT_CLI_INTERRUPT_H_

#include <signal.h>

#include <stop_token>

namespace hearwire::cli {

// While one lives, the threads that the calling thread makes, and those that they make, are made to take no signals.
// All threads but the main one are made so: it alone takes the signals, and therefore sees one before the end of an
// input whose writer the same signal has ended.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

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
