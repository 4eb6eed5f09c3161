#include "load/knee_search.h"

#include <functional>

#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

int Search(KneeSearch& search, const std::function<bool(double)>& passes) {
  int tries = 0;
  while (const auto rate = search.Next()) {
    search.Tell(passes(*rate));
    if (++tries > 100) break;
  }
  return tries;
}

TEST(KneeSearchTest, FindsTheHighestRateThatPasses) {
  for (const double first : {1.0, 40.0, 90.0, 5000.0}) {
    KneeSearch search(first);
    const int tries = Search(search, [](double rate) { return rate <= 100; });
    ASSERT_TRUE(search.knee()) << first;
    EXPECT_LE(*search.knee(), 100) << first;
    EXPECT_GE(*search.knee(), 100 / 1.05) << first;
    EXPECT_LE(tries, 25) << first;
  }
}

TEST(KneeSearchTest, TheKneeHasPassedTwice) {
  KneeSearch search(80);
  // The highest rate passes by luck, and only once.
  double lucky = 0;
  int times = 0;
  Search(search, [&](double rate) {
    if (rate <= 100) return true;
    if (rate > 130) return false;
    lucky = rate;
    return ++times == 1;
  });
  EXPECT_GT(lucky, 100);
  ASSERT_TRUE(search.knee());
  EXPECT_LE(*search.knee(), 100);
}

TEST(KneeSearchTest, TheBestSoFarIsTheHighestThatNeverFailed) {
  KneeSearch search(100);
  EXPECT_FALSE(search.best());
  search.Tell(true);
  EXPECT_EQ(search.best(), 100);
  search.Tell(true);
  EXPECT_EQ(search.best(), 150);
  search.Tell(false);
  EXPECT_EQ(search.best(), 150);
  while (search.Next() != 150) search.Tell(false);
  search.Tell(false);  // Tried again.
  EXPECT_EQ(search.best(), 100);
  EXPECT_FALSE(search.knee());
}

TEST(KneeSearchTest, EndsWithoutAKneeWhereNothingPasses) {
  KneeSearch search(1000);
  EXPECT_LE(Search(search, [](double) { return false; }), 40);
  EXPECT_FALSE(search.knee());
}

TEST(KneeSearchTest, EndsWhereEverythingPasses) {
  KneeSearch search(1);
  EXPECT_LE(Search(search, [](double) { return true; }), 45);
  EXPECT_TRUE(search.knee());
}

}  // namespace
}  // namespace hearwire::load
