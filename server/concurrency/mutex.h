// std::mutex with names that Clang's thread-safety analysis can check.
//
// Not absl::Mutex: the packaged Abseil is not built for ThreadSanitizer, which
// then reports races in correctly locked code.

#ifndef HEARWIRE_SERVER_CONCURRENCY_MUTEX_H_
#define HEARWIRE_SERVER_CONCURRENCY_MUTEX_H_

#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

class ABSL_LOCKABLE Mutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mu_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mu_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mu_;
};

class CondVar {
 public:
  // Releases the mutex, waits for a signal or until the deadline, takes it again. May also return for no reason:
  // look at what you wait for in a loop.
  void WaitUntil(Mutex* mu, SteadyTime deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    std::unique_lock<std::mutex> lock(mu->mu_, std::adopt_lock);
    if (deadline == SteadyTime::InfiniteFuture()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, deadline.ToChrono());
    }
    lock.release();
  }
  void Signal() { wake_.notify_one(); }
  void SignalAll() { wake_.notify_all(); }

 private:
  std::condition_variable wake_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CONCURRENCY_MUTEX_H_
