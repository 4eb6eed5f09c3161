// When calls that were refused are told to come again.

#ifndef HEARWIRE_SERVER_BATCHING_RETRY_TIMES_H_
#define HEARWIRE_SERVER_BATCHING_RETRY_TIMES_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// A caller's refused calls are told to come one after the other, each when there will be room for it behind those that
// were told before. That holds only while they come: when the first of them has not come by its time, none is expected
// any more. Calls that come are not told apart, so any call of the caller counts as the first. No clock. Not
// thread-safe.
class RetryTimes {
 public:
  // The longest that a call is told to wait; the first is waited for by so much longer than it was told.
  static constexpr absl::Duration kMost = absl::Seconds(10);
  static constexpr absl::Duration kGrace = absl::Seconds(1);

  // most_queue_time: of work that may run before a call.
  explicit RetryTimes(absl::Duration most_queue_time) : early_(std::min(most_queue_time, kMost) / 2) {}

  // A call of the caller has come. id: of the caller; another one may have had its number before.
  void OnCall(int caller, size_t id, SteadyTime now);

  // The call that has come last is refused: there is `ahead` of work before it, and it needs `own`. Returns how long it
  // is to wait.
  absl::Duration Wait(int caller, absl::Duration ahead, absl::Duration own, SteadyTime now);

 private:
  struct Told {
    size_t id = 0;
    SteadyTime until;                                 // When all calls that were told to come will have run.
    SteadyTime first = SteadyTime::InfiniteFuture();  // When one is to come; then it is seen whether any does.
  };

  const absl::Duration early_;  // Before there is room at once: a call may wait here, too.
  std::vector<Told> callers_;   // By number.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_RETRY_TIMES_H_
