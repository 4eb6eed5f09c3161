#include "server/run_apart.h"

#include <thread>
#include <utility>

#include "server/concurrency/border.h"

namespace hearwire {

void Ended::Set() {
  MutexLock lock(&mu_);
  set_ = true;
  changed_.SignalAll();
}

bool Ended::WaitUntil(SteadyTime time) {
  MutexLock lock(&mu_);
  while (!set_ && SteadyTime::Now() < time) changed_.WaitUntil(&mu_, time);
  return set_;
}

std::shared_ptr<Ended> RunApart(std::function<void()> work) {
  auto ended = std::make_shared<Ended>();
  const absl::Status started = Contain([&] {
    std::thread([work = std::move(work), ended] {
      work();
      ended->Set();
    }).detach();
  });
  return started.ok() ? ended : nullptr;
}

}  // namespace hearwire
