// Whose turn it is: callers by their shares, and within a caller the call with the least work left.
//
// The same order serves batches (one CallOrder per network, all with the same shares) and preparation.
// Invariants, for each moment at which Next is asked:
// - The call belongs to a caller of those that wait here who has had least (CallerShares).
// - It is the one of this caller's with the least position; of equal ones, the one that came first.
// - But a tenth of what a caller gets here goes to its oldest call, from the time on when others have got a second of
//   work. So every call ends, however many shorter ones come: at the latest when its caller has got a second and ten
//   times the work of this call and of those that are older.

#ifndef HEARWIRE_SERVER_BATCHING_CALL_ORDER_H_
#define HEARWIRE_SERVER_BATCHING_CALL_ORDER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "server/batching/caller_shares.h"
#include "server/batching/indexed_heap.h"

namespace hearwire {

// One that waits for its turn. While it is in an order, only that changes it.
struct Turn {
  int caller = 0;
  int64_t position = 0;         // Work left, as a rule; in a unit that is the same for all of an order.
  int64_t arrival = 0;          // Counts all that came; no two are equal.
  std::array<int, 4> places{};  // In heaps, by their slots. CallOrder has the first two.
};

// Not thread-safe. All is O(log n).
class CallOrder {
 public:
  // shares must outlive it.
  explicit CallOrder(CallerShares* shares) : shares_(shares) {}
  CallOrder(CallOrder&&) = default;

  bool empty() const { return size_ == 0; }
  int size() const { return size_; }
  int callers() const { return callers_.size(); }

  void Add(Turn* turn);
  // The turn must be in it.
  void Remove(Turn* turn);
  void Move(Turn* turn, int64_t position);

  // Not when it is empty.
  Turn* Next();
  // The one with the least position of the same caller, though a turn of its oldest may be due.
  Turn* Shortest() { return First()->by_position.top(); }
  // What that caller has had.
  int64_t LeastServed();

  // One of the caller that Next returned one of gets so much. To be called before it is removed.
  void Charge(const Turn& turn, int64_t cost);

 private:
  // What an oldest call may have had beyond its share, or be taken to have had when its caller comes: it may have been
  // alone for hours, and is not to wait as long for its next turn. In nanoseconds.
  static constexpr int64_t kMostAhead = 100'000'000;

  struct Line {
    int caller = 0;
    std::array<int, 1> places{};
    int64_t owed = -kMostAhead;  // To the oldest; negative while it has had more.
    IndexedHeap<Turn, std::pair<int64_t, int64_t>, 0> by_position;
    IndexedHeap<Turn, int64_t, 1> by_arrival;
  };

  // The line of the caller that has had least.
  Line* First();
  Line* line(int caller) { return lines_[static_cast<size_t>(caller)].get(); }

  CallerShares* shares_;
  std::vector<std::unique_ptr<Line>> lines_;  // By caller.
  // Lines with turns. A key may be lower than what the caller has had meanwhile elsewhere; First mends that.
  IndexedHeap<Line, std::pair<int64_t, int>, 0> callers_;
  int size_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_CALL_ORDER_H_
