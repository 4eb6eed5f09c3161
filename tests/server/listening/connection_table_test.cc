#include "server/listening/connection_table.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

using Limit = ConnectionTable::Limit;

const ConnectionTable::Origin kFirst = {"10.0.0.1"};
const ConnectionTable::Origin kSecond = {"10.0.0.2"};
const ConnectionTable::Origin kProxy = {"10.0.0.9", /*is_exempt=*/true};

SteadyTime At(int seconds) { return SteadyTime() + absl::Seconds(seconds); }

TEST(ConnectionTableTest, LetsInUpToEachLimit) {
  ConnectionTable table({.max_connections = 4, .max_per_origin = 2});
  EXPECT_EQ(table.Reached(kFirst), std::nullopt);
  table.Add(1, kFirst, At(0));
  EXPECT_EQ(table.Reached(kFirst), std::nullopt);
  table.Add(2, kFirst, At(0));
  EXPECT_EQ(table.Reached(kFirst), Limit::kOrigin);
  EXPECT_EQ(table.Reached(kSecond), std::nullopt);
  table.Add(3, kSecond, At(0));
  table.Add(4, kProxy, At(0));
  EXPECT_EQ(table.Reached(kSecond), Limit::kAll);
  EXPECT_EQ(table.Reached(kProxy), Limit::kAll);
  // Who has too many makes room among its own.
  EXPECT_EQ(table.Reached(kFirst), Limit::kOrigin);
  table.Remove(3);
  EXPECT_EQ(table.Reached(kSecond), std::nullopt);
  EXPECT_EQ(table.size(), 3);
}

TEST(ConnectionTableTest, CountsExemptOnesInAllAlone) {
  ConnectionTable table({.max_connections = 3, .max_per_origin = 1});
  table.Add(1, kProxy, At(0));
  EXPECT_EQ(table.Reached(kProxy), std::nullopt);
  table.Add(2, kProxy, At(0));
  table.Add(3, kProxy, At(0));
  EXPECT_EQ(table.CountOf(kProxy), 0);
  EXPECT_EQ(table.Reached(kProxy), Limit::kAll);
  EXPECT_EQ(table.LongestSilent(Limit::kOrigin, kProxy), std::nullopt);
}

TEST(ConnectionTableTest, KnowsWhoHasBeenSilentForLongest) {
  ConnectionTable table({.max_connections = 10, .max_per_origin = 10});
  EXPECT_EQ(table.LongestSilent(Limit::kAll, kFirst), std::nullopt);
  table.Add(1, kFirst, At(1));
  table.Add(2, kSecond, At(2));
  table.Add(3, kSecond, At(3));
  EXPECT_EQ(table.LongestSilent(Limit::kAll, kSecond), 1);
  EXPECT_EQ(table.LongestSilent(Limit::kOrigin, kSecond), 2);
  table.SawActivity(1, At(10));
  EXPECT_EQ(table.LongestSilent(Limit::kAll, kFirst), 2);
  table.SawActivity(2, At(11));
  EXPECT_EQ(table.LongestSilent(Limit::kAll, kFirst), 3);
  EXPECT_EQ(table.LongestSilent(Limit::kOrigin, kSecond), 3);
  // Times before the one that is known, and strangers, change nothing.
  table.SawActivity(2, At(1));
  table.SawActivity(7, At(20));
  table.Remove(3);
  EXPECT_EQ(table.LongestSilent(Limit::kAll, kFirst), 1);
  table.Remove(1);
  EXPECT_EQ(table.LongestSilent(Limit::kOrigin, kFirst), std::nullopt);
  EXPECT_EQ(table.LongestSilent(Limit::kAll, kFirst), 2);
}

TEST(ConnectionTableTest, ForgetsWhatItIsToldToOnce) {
  ConnectionTable table({.max_connections = 1, .max_per_origin = 1});
  table.Add(1, kFirst, At(0));
  table.Remove(1);
  table.Remove(1);
  EXPECT_EQ(table.size(), 0);
  EXPECT_EQ(table.Reached(kFirst), std::nullopt);
}

}  // namespace
}  // namespace hearwire
