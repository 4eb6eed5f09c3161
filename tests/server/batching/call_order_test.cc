#include "server/batching/call_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace hearwire {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

TEST(CallOrderTest, TheLeastPositionOfTheCallerThatHadLeast) {
  CallerShares shares;
  CallOrder order(&shares);
  Turn a{.caller = 0, .position = 9, .arrival = 1};
  Turn b{.caller = 0, .position = 5, .arrival = 2};
  Turn c{.caller = 1, .position = 7, .arrival = 3};
  for (Turn* turn : {&a, &b, &c}) order.Add(turn);
  EXPECT_EQ(order.Next(), &b);
  order.Charge(b, 10);
  EXPECT_EQ(order.Next(), &c);
  order.Charge(c, 15);
  EXPECT_EQ(order.LeastServed(), 10);
  order.Move(&b, 20);
  EXPECT_EQ(order.Next(), &a);
  order.Remove(&a);
  EXPECT_EQ(order.Next(), &b);
  order.Charge(b, 10);
  EXPECT_EQ(order.Next(), &c);
  EXPECT_EQ(order.callers(), 2);
  order.Remove(&c);
  order.Remove(&b);
  EXPECT_TRUE(order.empty());
}

TEST(CallOrderTest, ATenthGoesToTheOldest) {
  CallerShares shares;
  CallOrder order(&shares);
  Turn oldest{.position = 1000, .arrival = 1};
  Turn other{.position = 1, .arrival = 2};
  order.Add(&oldest);
  order.Add(&other);
  int64_t had = 0;
  for (int i = 0; i < 10000; ++i) {
    Turn* const next = order.Next();
    if (i < 1000) {
      ASSERT_EQ(next, &other) << "a second of work first";
    }
    had += next == &oldest;
    EXPECT_EQ(order.Shortest(), &other);
    order.Charge(*next, kMillisecond);
  }
  EXPECT_NEAR(static_cast<double>(had), 900, 2);
}

TEST(CallOrderTest, AnOldestThatWasAloneForLongWaitsNoLongerForItsTurn) {
  CallerShares shares;
  CallOrder order(&shares);
  Turn oldest{.position = 1000, .arrival = 1};
  Turn other{.position = 1, .arrival = 2};
  order.Add(&oldest);
  for (int i = 0; i < 100'000; ++i) order.Charge(oldest, kMillisecond);
  order.Add(&other);
  int others = 0;
  for (; order.Next() == &other; ++others) order.Charge(other, kMillisecond);
  EXPECT_EQ(others, 1001);
}

// Orders that share accounts, as networks do, against a search through all turns.
TEST(CallOrderTest, AgreesWithAModelUnderRandomChanges) {
  struct Account {
    int64_t served = 0;
    int turns = 0;
  };
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    CallerShares shares;
    std::vector<CallOrder> orders;
    for (int i = 0; i < 3; ++i) orders.emplace_back(&shares);
    std::map<int, Account> accounts;
    int64_t clock = 0;
    std::vector<std::vector<std::unique_ptr<Turn>>> in(3);
    const auto weight = [](int caller) { return 1 + caller % 3; };
    for (int caller = 0; caller < 6; ++caller) shares.SetWeight(caller, weight(caller));
    for (int64_t step = 1; step < 3000; ++step) {
      const size_t i = random() % 3;
      const unsigned dice = random() % 10;
      if (dice < 4 || in[i].empty()) {
        auto turn = std::make_unique<Turn>();
        turn->caller = static_cast<int>(random() % 6);
        turn->position = static_cast<int64_t>(random() % 20);
        turn->arrival = step;
        Account& account = accounts[turn->caller];
        if (account.turns++ == 0) account.served = std::max(account.served, clock);
        orders[i].Add(turn.get());
        in[i].push_back(std::move(turn));
      } else if (dice < 6) {
        const size_t victim = random() % in[i].size();
        --accounts[in[i][victim]->caller].turns;
        orders[i].Remove(in[i][victim].get());
        in[i].erase(in[i].begin() + static_cast<std::ptrdiff_t>(victim));
      } else if (dice < 7) {
        orders[i].Move(in[i][random() % in[i].size()].get(), static_cast<int64_t>(random() % 20));
      } else {
        Turn* const next = orders[i].Next();
        // Costs are far below what makes a turn of the oldest due.
        const auto key = [&](const std::unique_ptr<Turn>& t) {
          return std::make_tuple(accounts[t->caller].served, t->caller, t->position, t->arrival);
        };
        const auto least =
            std::min_element(in[i].begin(), in[i].end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
        ASSERT_EQ(next, least->get()) << "seed " << seed << ", step " << step;
        const int64_t cost = static_cast<int64_t>(random() % 100);
        Account& account = accounts[next->caller];
        clock = std::max(clock, account.served);
        account.served += cost / weight(next->caller);
        orders[i].Charge(*next, cost);
      }
    }
  }
}

}  // namespace
}  // namespace hearwire
