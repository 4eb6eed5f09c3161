// Which call is prepared next: the order of batches, on accounts of its own. No threads, no locks, no clock.
//
// A call that has something to prepare, and credit for it, waits here. A thread takes it, prepares a slice, and brings
// it back. Callers share the threads by the time that their slices take.

#ifndef HEARWIRE_SERVER_BATCHING_PREPARATION_ORDER_H_
#define HEARWIRE_SERVER_BATCHING_PREPARATION_ORDER_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "server/batching/call_order.h"
#include "server/batching/caller_shares.h"

namespace hearwire {

// Not thread-safe.
class PreparationOrder {
 public:
  // slice: what one turn takes, about.
  explicit PreparationOrder(absl::Duration slice) : slice_(absl::ToInt64Nanoseconds(slice)) {}

  // A call comes. Of the turn, the caller is set; work_left: what the call has left in all, in any unit that is the
  // same for all calls. The turn must outlive its time here.
  void Add(Turn* turn, int weight, int64_t work_left) {
    shares_.SetWeight(turn->caller, weight);
    turn->arrival = ++arrivals_;
    turn->position = work_left;
    order_.Add(turn);
  }

  bool empty() const { return order_.empty(); }

  // Whose turn it is; not when nobody waits. It does not wait here until it is brought back. A slice is charged at
  // once, so that the next thread does not serve the same caller before its turn.
  Turn* Take() {
    Turn* const next = order_.Next();
    order_.Charge(*next, slice_);
    shares_.Join(next->caller);  // It goes on wanting some.
    order_.Remove(next);
    return next;
  }

  // Brings back what was taken: how long its slice took, and whether it waits for another at once.
  void Return(Turn* turn, absl::Duration took, bool waits, int64_t work_left) {
    shares_.ChargeMore(turn->caller, std::max<int64_t>(absl::ToInt64Nanoseconds(took) - slice_, 0));
    if (waits) Resume(turn, work_left);
    shares_.Leave(turn->caller);
  }

  // What was brought back before waits again, at its age.
  void Resume(Turn* turn, int64_t work_left) {
    turn->position = work_left;
    order_.Add(turn);
  }

  // It waits, and will not be prepared.
  void Remove(Turn* turn) { order_.Remove(turn); }

 private:
  const int64_t slice_;
  CallerShares shares_;
  CallOrder order_{&shares_};
  int64_t arrivals_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_PREPARATION_ORDER_H_
