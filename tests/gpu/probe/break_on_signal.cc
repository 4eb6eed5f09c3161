// A library for LD_PRELOAD: when the process gets SIGUSR1, its CUDA context becomes unusable (break_device.h). So the
// real server is seen to lose its device.

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <string>

#include "tests/gpu/probe/break_device.h"

namespace {

void* WaitAndBreak(void*) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  int signal = 0;
  if (sigwait(&signals, &signal) != 0) return nullptr;
  const absl::Status status = hearwire::BreakCudaContext();
  std::fprintf(stderr, "break_on_signal: %s\n", status.ok() ? "the context is broken" : status.ToString().c_str());
  return nullptr;
}

// Before main, so that every thread of the program leaves the signal to this one.
__attribute__((constructor)) void Start() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  pthread_t thread;
  if (pthread_create(&thread, nullptr, WaitAndBreak, nullptr) == 0) pthread_detach(thread);
}

}  // namespace
