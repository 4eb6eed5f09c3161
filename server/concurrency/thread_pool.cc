#include "server/concurrency/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "server/concurrency/border.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

ThreadPool::ThreadPool(const std::string& name, int threads) {
  const auto run = [this, name](int) {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    Run();
  };
  StartThreads(
      std::max(threads, 1), run, [this] { Close(); }, &threads_);
}

void ThreadPool::Close() {
  {
    MutexLock lock(&mu_);
    closed_ = true;
  }
  wake_.SignalAll();
}

ThreadPool::~ThreadPool() {
  Close();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Schedule(std::function<void()> task) {
  {
    MutexLock lock(&mu_);
    tasks_.push_back(std::move(task));
  }
  wake_.Signal();
}

void ThreadPool::Run() noexcept {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(&mu_);
      while (tasks_.empty() && !closed_) wake_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace hearwire
