// Does something again and again, on a thread of its own.

#ifndef HEARWIRE_SERVER_CONCURRENCY_PERIODIC_H_
#define HEARWIRE_SERVER_CONCURRENCY_PERIODIC_H_

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "server/concurrency/mutex.h"

namespace hearwire {

class Periodic {
 public:
  // Calls `work` one period from now, and one period after each call has ended. A call that throws is as if it had not
  // been. name: of the thread, at most 15 characters.
  Periodic(const char* name, absl::Duration period, std::function<void()> work);
  // Waits for a call that is under way.
  ~Periodic();
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

 private:
  void Run();

  const absl::Duration period_;
  const std::function<void()> work_;
  Mutex mu_;
  CondVar wake_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CONCURRENCY_PERIODIC_H_
