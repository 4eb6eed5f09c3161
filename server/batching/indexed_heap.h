// A heap from which any item can be removed, because each knows its place.

#ifndef HEARWIRE_SERVER_BATCHING_INDEXED_HEAP_H_
#define HEARWIRE_SERVER_BATCHING_INDEXED_HEAP_H_

#include <cstddef>
#include <vector>

namespace hearwire {

// The least key first; keys of one heap must differ. An item is in it at most once; its place is kept in
// item->places[kSlot]. Owns nothing. All changes are O(log n); memory is kept for reuse.
template <typename Item, typename Key, int kSlot>
class IndexedHeap {
 public:
  bool empty() const { return entries_.empty(); }
  int size() const { return static_cast<int>(entries_.size()); }

  // Not on an empty heap.
  Item* top() const { return entries_.front().item; }
  const Key& top_key() const { return entries_.front().key; }

  void Push(const Key& key, Item* item) {
    entries_.push_back({key, item});
    Settle(entries_.size() - 1);
  }

  // Gives the first item another key.
  void ChangeTop(const Key& key) {
    entries_.front().key = key;
    Settle(0);
  }

  // Gives an item that is in it another key.
  void Change(const Key& key, const Item* item) {
    const size_t place = static_cast<size_t>(item->places[kSlot]);
    entries_[place].key = key;
    Settle(place);
  }

  // The item must be in it.
  void Remove(const Item* item) {
    const size_t place = static_cast<size_t>(item->places[kSlot]);
    const bool is_last = place + 1 == entries_.size();
    if (!is_last) entries_[place] = entries_.back();
    entries_.pop_back();
    if (!is_last) Settle(place);
  }

  // In no order.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (const Entry& entry : entries_) visit(entry.item);
  }

 private:
  struct Entry {
    Key key;
    Item* item;
  };

  void Place(size_t place, const Entry& entry) {
    entries_[place] = entry;
    entry.item->places[kSlot] = static_cast<int>(place);
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

#endif  // HEARWIRE_SERVER_BATCHING_INDEXED_HEAP_H_
