#include "server/concurrency/periodic.h"

#include <pthread.h>

#include <utility>

#include "server/concurrency/border.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

Periodic::Periodic(const char* name, absl::Duration period, std::function<void()> work)
    : period_(period), work_(std::move(work)), thread_([this, name] {
        pthread_setname_np(pthread_self(), name);
        Run();
      }) {}

Periodic::~Periodic() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
  }
  wake_.SignalAll();
  thread_.join();
}

void Periodic::Run() {
  while (true) {
    {
      const SteadyTime next = SteadyTime::Now() + period_;
      MutexLock lock(&mu_);
      while (!ending_ && SteadyTime::Now() < next) wake_.WaitUntil(&mu_, next);
      if (ending_) return;
    }
    (void)Contain(work_);
  }
}

}  // namespace hearwire
