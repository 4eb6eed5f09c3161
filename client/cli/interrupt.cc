#include "client/cli/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

namespace hearwire::cli {
namespace {

std::atomic<int> received = 0;  // Lock-free: a signal handler may touch it.
static_assert(std::atomic<int>::is_always_lock_free);
int wake_pipe[2] = {-1, -1};  // Never drained: it stays readable.

std::stop_source& Source() {
  static std::stop_source* source = new std::stop_source;  // Its thread may outlive main.
  return *source;
}

void OnSignal(int number) {
  if (received.exchange(number) != 0) _exit(128 + number);
  const int saved = errno;
  (void)!write(wake_pipe[1], "", 1);
  errno = saved;
}

}  // namespace

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void WatchForInterrupts() {
  if (pipe2(wake_pipe, O_CLOEXEC) != 0) return;  // The signals' default then ends the program.
  const SignalsBlocked in_the_thread;
  std::thread([source = Source()]() mutable {
    pollfd waiting{wake_pipe[0], POLLIN, 0};
    while (poll(&waiting, 1, -1) < 0 && errno == EINTR) {
    }
    source.request_stop();
  }).detach();
  struct sigaction action = {};
  action.sa_handler = &OnSignal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction current = {};
    // One that the parent ignores (nohup) stays ignored.
    if (sigaction(number, nullptr, &current) == 0 && current.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

bool Interrupted() { return received != 0; }

std::stop_token InterruptToken() { return Source().get_token(); }

int InterruptFd() { return wake_pipe[0]; }

int InterruptExitCode() { return 128 + received; }

}  // namespace hearwire::cli
