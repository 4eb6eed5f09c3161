#include "server/batching/call_order.h"

#include <algorithm>

namespace hearwire {
namespace {

// Of a caller's work, what goes to its oldest call.
constexpr int64_t kOldestShare = 10;

}  // namespace

void CallOrder::Add(Turn* turn) {
  const size_t index = static_cast<size_t>(turn->caller);
  if (index >= lines_.size()) lines_.resize(index + 1);
  if (lines_[index] == nullptr) {
    lines_[index] = std::make_unique<Line>();
    lines_[index]->caller = turn->caller;
  }
  Line* const line = lines_[index].get();
  if (line->by_arrival.empty()) {
    shares_->Join(turn->caller);
    callers_.Push({shares_->served(turn->caller), turn->caller}, line);
  }
  line->by_position.Push({turn->position, turn->arrival}, turn);
  line->by_arrival.Push(turn->arrival, turn);
  ++size_;
}

void CallOrder::Remove(Turn* turn) {
  Line* const from = line(turn->caller);
  from->by_position.Remove(turn);
  from->by_arrival.Remove(turn);
  --size_;
  if (!from->by_arrival.empty()) return;
  callers_.Remove(from);
  shares_->Leave(turn->caller);
  from->owed = -kMostAhead;
}

void CallOrder::Move(Turn* turn, int64_t position) {
  turn->position = position;
  line(turn->caller)->by_position.Change({position, turn->arrival}, turn);
}

CallOrder::Line* CallOrder::First() {
  while (true) {
    Line* const first = callers_.top();
    const int64_t served = shares_->served(first->caller);
    if (callers_.top_key().first == served) return first;
    callers_.ChangeTop({served, first->caller});
  }
}

Turn* CallOrder::Next() {
  const Line* const first = First();
  return first->owed > 0 ? first->by_arrival.top() : first->by_position.top();
}

int64_t CallOrder::LeastServed() { return shares_->served(First()->caller); }

void CallOrder::Charge(const Turn& turn, int64_t cost) {
  Line* const charged = line(turn.caller);
  charged->owed += cost / kOldestShare;
  if (charged->by_arrival.top() == &turn) charged->owed = std::max(charged->owed - cost, -kMostAhead);
  shares_->Charge(turn.caller, cost);
}

}  // namespace hearwire
