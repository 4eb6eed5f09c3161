#include "models/checkpoint/in_parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace hearwire {
namespace {

TEST(InParallelTest, DoesEachPartOnce) {
  for (const size_t count : {0, 1, 2, 3, 1000}) {
    std::vector<std::atomic<int>> done(count);
    InParallel(count, [&](size_t i) { ++done[i]; });
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(done[i], 1) << i << " of " << count;
  }
}

TEST(InParallelTest, WithinOneAnother) {
  std::atomic<int> done = 0;
  InParallel(3, [&](size_t) { InParallel(5, [&](size_t) { ++done; }); });
  EXPECT_EQ(done, 15);
}

TEST(InParallelTest, ThrowsWhatAPartHasThrownAndBeginsNoMore) {
  std::atomic<int> begun = 0;
  const auto work = [&](size_t i) {
    ++begun;
    if (i == 3) throw std::bad_alloc();
    if (i > 3) throw std::logic_error("a part behind one that has failed");
  };
  EXPECT_ANY_THROW(InParallel(1000, work));
  EXPECT_LT(begun, 20);
}

TEST(PreferHugePagesTest, TakesWhateverMemoryThereIs) {
  std::vector<char> memory(8 << 20, 1);
  PreferHugePages(memory.data(), memory.size());
  PreferHugePages(memory.data() + 1, 3);
  PreferHugePages(nullptr, 0);
  EXPECT_EQ(memory.front() + memory.back(), 2);
}

}  // namespace
}  // namespace hearwire
