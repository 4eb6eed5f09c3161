#include "server/pipeline/preparation_pool.h"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "server/concurrency/border.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

PreparationPool::PreparationPool(int threads) : order_(kSliceTime) {
  const auto run = [this](int) {
    pthread_setname_np(pthread_self(), "decode");
    Run();
  };
  StartThreads(
      std::max(threads, 1), run, [this] { Close(); }, &threads_);
}

void PreparationPool::Close() {
  {
    MutexLock lock(&mu_);
    closed_ = true;
  }
  wake_.SignalAll();
}

PreparationPool::~PreparationPool() {
  Close();
  for (std::thread& thread : threads_) thread.join();
}

void PreparationPool::Schedule(int caller, int weight, int64_t samples_left, Slice slice) {
  auto task = std::make_unique<Task>();
  task->caller = caller;
  task->slice = std::move(slice);
  {
    MutexLock lock(&mu_);
    order_.Add(task.release(), weight, samples_left);
  }
  wake_.Signal();
}

void PreparationPool::RunOrSchedule(int caller, int weight, int64_t samples_left, Slice slice) {
  bool nothing_waits;
  {
    MutexLock lock(&mu_);
    nothing_waits = order_.empty();
  }
  if (nothing_waits) {
    // Nobody waited meanwhile, so it is not counted to the caller's share.
    const std::optional<int64_t> left = slice();
    if (!left) return;
    samples_left = *left;
  }
  Schedule(caller, weight, samples_left, std::move(slice));
}

void PreparationPool::Run() noexcept {
  while (true) {
    std::unique_ptr<Task> task;
    {
      MutexLock lock(&mu_);
      while (order_.empty() && !closed_) wake_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
      if (order_.empty()) return;
      task.reset(static_cast<Task*>(order_.Take()));
    }
    const SteadyTime start = SteadyTime::Now();
    const std::optional<int64_t> samples_left = task->slice();
    const absl::Duration took = SteadyTime::Now() - start;
    {
      MutexLock lock(&mu_);
      order_.Return(task.get(), took, samples_left.has_value(), samples_left.value_or(0));
      if (samples_left) (void)task.release();  // The order has it again.
    }
    // A task that has ended is destroyed here, without the lock: the call may end with it.
  }
}

}  // namespace hearwire
