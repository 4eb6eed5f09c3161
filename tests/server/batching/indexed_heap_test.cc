#include "server/batching/indexed_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace hearwire {
namespace {

using Key = std::pair<int, int>;

struct Item {
  std::array<int, 2> places{};
};

TEST(IndexedHeapTest, TheLeastKeyIsFirstWhateverChanges) {
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Item>> calls;
  for (int i = 0; i < 300; ++i) calls.push_back(std::make_unique<Item>());
  IndexedHeap<Item, Key, 1> heap;
  std::vector<std::pair<Key, Item*>> in_heap;  // The model.
  std::vector<Item*> outside;
  for (const auto& call : calls) outside.push_back(call.get());

  for (int step = 0; step < 20000; ++step) {
    const Key key{static_cast<int>(random() % 50), step};
    // Phases of growing and of shrinking.
    const unsigned push_below = (step / 1000) % 2 == 0 ? 60 : 20;
    const unsigned dice = random() % 100;
    if (dice < push_below && !outside.empty()) {
      heap.Push(key, outside.back());
      in_heap.emplace_back(key, outside.back());
      outside.pop_back();
    } else if (dice < 80 && !in_heap.empty()) {
      const size_t victim = random() % in_heap.size();
      heap.Remove(in_heap[victim].second);
      outside.push_back(in_heap[victim].second);
      in_heap.erase(in_heap.begin() + static_cast<std::ptrdiff_t>(victim));
    } else if (dice < 90 && !in_heap.empty()) {
      std::pair<Key, Item*>& changed = in_heap[random() % in_heap.size()];
      changed.first = key;
      heap.Change(key, changed.second);
    } else if (!in_heap.empty()) {
      std::min_element(in_heap.begin(), in_heap.end())->first = key;
      heap.ChangeTop(key);
    }
    ASSERT_EQ(heap.size(), static_cast<int>(in_heap.size()));
    ASSERT_EQ(heap.empty(), in_heap.empty());
    if (in_heap.empty()) continue;
    const auto least = std::min_element(in_heap.begin(), in_heap.end());
    ASSERT_EQ(heap.top_key(), least->first);
    ASSERT_EQ(heap.top(), least->second);
  }
}

TEST(IndexedHeapTest, HeapsOfDifferentSlotsDoNotDisturbEachOther) {
  Item a, b;
  IndexedHeap<Item, int, 0> up;
  IndexedHeap<Item, int, 1> down;
  up.Push(1, &a);
  up.Push(2, &b);
  down.Push(2, &a);
  down.Push(1, &b);
  up.Remove(&a);
  EXPECT_EQ(up.top(), &b);
  EXPECT_EQ(down.top(), &b);
  down.Remove(&b);
  EXPECT_EQ(down.top(), &a);
}

}  // namespace
}  // namespace hearwire
