// Work on a thread of its own, which is left behind when it does not end.

#ifndef HEARWIRE_SERVER_RUN_APART_H_
#define HEARWIRE_SERVER_RUN_APART_H_

#include <functional>
#include <memory>

#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// Whether something has ended. Thread-safe.
class Ended {
 public:
  void Set();
  // False when it had not by then.
  bool WaitUntil(SteadyTime time);

 private:
  Mutex mu_;
  CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mu_) = false;
};

// Null: the system refuses a thread, and the work is not done.
std::shared_ptr<Ended> RunApart(std::function<void()> work);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RUN_APART_H_
