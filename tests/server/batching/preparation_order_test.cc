#include "server/batching/preparation_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

namespace hearwire {
namespace {

constexpr absl::Duration kSlice = absl::Milliseconds(4);

TEST(PreparationOrderTest, TheLeastWorkLeftOfACallerIsPreparedFirst) {
  PreparationOrder order(kSlice);
  Turn a, b;
  order.Add(&a, 1, 100);
  order.Add(&b, 1, 50);
  EXPECT_EQ(order.Take(), &b);
  order.Return(&b, kSlice, true, 40);
  EXPECT_EQ(order.Take(), &b);
  EXPECT_EQ(order.Take(), &a) << "b is being prepared";
  EXPECT_TRUE(order.empty());
  order.Return(&b, kSlice, false, 101);
  EXPECT_TRUE(order.empty()) << "it has no credit";
  order.Resume(&b, 101);
  order.Return(&a, kSlice, true, 101);
  EXPECT_EQ(order.Take(), &a) << "the older one";
  order.Remove(&b);
  EXPECT_TRUE(order.empty());
}

TEST(PreparationOrderTest, CallersShareThreadsByTheTimeOfTheirSlices) {
  PreparationOrder order(kSlice);
  // Caller 0 has ten calls, caller 1 has one whose slices take three times as long, caller 2 has twice the weight.
  std::vector<std::unique_ptr<Turn>> turns;
  for (int i = 0; i < 12; ++i) {
    turns.push_back(std::make_unique<Turn>());
    turns.back()->caller = std::max(i - 9, 0);
    order.Add(turns.back().get(), turns.back()->caller == 2 ? 2 : 1, 1000);
  }
  std::map<int, absl::Duration> had;
  for (int i = 0; i < 4000; ++i) {
    Turn* const turn = order.Take();
    const absl::Duration took = turn->caller == 1 ? 3 * kSlice : kSlice;
    had[turn->caller] += took;
    order.Return(turn, took, true, 1000);
  }
  EXPECT_NEAR(had[1] / had[0], 1, 0.02);
  EXPECT_NEAR(had[2] / had[0], 2, 0.02);
}

TEST(PreparationOrderTest, ThreadsThatTakeAtOnceServeDifferentCallers) {
  PreparationOrder order(kSlice);
  std::vector<std::unique_ptr<Turn>> turns;
  for (int i = 0; i < 4; ++i) {
    turns.push_back(std::make_unique<Turn>());
    turns.back()->caller = i / 3;
    order.Add(turns.back().get(), 1, 10);
  }
  EXPECT_EQ(order.Take()->caller, 0);
  EXPECT_EQ(order.Take()->caller, 1);
  EXPECT_EQ(order.Take()->caller, 0);
}

}  // namespace
}  // namespace hearwire
