// A heap of calls from which any call can be removed, because each knows its place.

#ifndef HEARWIRE_SERVER_BATCHING_CALL_HEAP_H_
#define HEARWIRE_SERVER_BATCHING_CALL_HEAP_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "server/batching/call_work.h"

namespace hearwire {

// The least key first; keys of one heap must differ. A call is in it at most once; its place is kept in
// call->waiting.places[kSlot]. Owns nothing. All changes are O(log n); memory is kept for reuse.
template <typename Key, int kSlot>
class CallHeap {
 public:
  bool empty() const { return entries_.empty(); }
  int size() const { return static_cast<int>(entries_.size()); }

  // Not on an empty heap.
  CallWork* top() const { return entries_.front().call; }
  const Key& top_key() const { return entries_.front().key; }

  void Push(const Key& key, CallWork* call) {
    entries_.push_back({key, call});
    Settle(entries_.size() - 1);
  }

  // Gives the first call another key.
  void ChangeTop(const Key& key) {
    entries_.front().key = key;
    Settle(0);
  }

  // The call must be in it.
  void Remove(const CallWork* call) {
    const size_t place = static_cast<size_t>(call->waiting.places[kSlot]);
    const bool is_last = place + 1 == entries_.size();
    if (!is_last) entries_[place] = entries_.back();
    entries_.pop_back();
    if (!is_last) Settle(place);
  }

  // In no order.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (const Entry& entry : entries_) visit(entry.call);
  }

 private:
  struct Entry {
    Key key;
    CallWork* call;
  };

  void Place(size_t place, const Entry& entry) {
    entries_[place] = entry;
    entry.call->waiting.places[kSlot] = static_cast<int>(place);
  }

  // Moves the entry at `place` up or down to where its key belongs.
  void Settle(size_t place) {
    const Entry entry = entries_[place];
    while (place > 0 && entry.key < entries_[(place - 1) / 2].key) {
      Place(place, entries_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    while (true) {
      size_t child = 2 * place + 1;
      if (child >= entries_.size()) break;
      if (child + 1 < entries_.size() && entries_[child + 1].key < entries_[child].key) ++child;
      if (!(entries_[child].key < entry.key)) break;
      Place(place, entries_[child]);
      place = child;
    }
    Place(place, entry);
  }

  std::vector<Entry> entries_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_CALL_HEAP_H_
