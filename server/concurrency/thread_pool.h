// A fixed number of threads that begin tasks in the order in which they came.

#ifndef HEARWIRE_SERVER_CONCURRENCY_THREAD_POOL_H_
#define HEARWIRE_SERVER_CONCURRENCY_THREAD_POOL_H_

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "server/concurrency/mutex.h"

namespace hearwire {

class ThreadPool {
 public:
  // name: of the threads, as `top -H` shows them; 15 characters at most. Starts `threads` threads, at least 1;
  // throws std::system_error, and leaves none, where the system refuses one.
  ThreadPool(const std::string& name, int threads);
  // Runs what was scheduled, and what that schedules, then ends the threads. Not from within a task.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Never blocks. How many tasks may wait is the caller's to bound. A task must not throw: that ends the program. It is
  // destroyed, with what it owns, on the thread that ran it. Thread-safe, also from within a task.
  void Schedule(std::function<void()> task);

 private:
  void Close();
  void Run() noexcept;

  Mutex mu_;
  CondVar wake_;  // A task has come, or the end.
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CONCURRENCY_THREAD_POOL_H_
