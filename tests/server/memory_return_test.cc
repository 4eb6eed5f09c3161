#include "server/memory_return.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

constexpr int64_t kMiB = 1 << 20;

class ReturnPolicyTest : public testing::Test {
 protected:
  bool Look(int64_t resident_mib, int64_t calls) {
    now_ += absl::Seconds(1);
    return policy_.Look(resident_mib * kMiB, calls, now_);
  }

  SteadyTime now_ = SteadyTime::Now();
  ReturnPolicy policy_{40 * kMiB, now_};
};

TEST_F(ReturnPolicyTest, GivesBackAfterAStormOnceAllIsQuiet) {
  EXPECT_FALSE(Look(300, 5));
  EXPECT_FALSE(Look(300, 0)) << "the next calls may be on their way";
  EXPECT_TRUE(Look(300, 0));
  policy_.Done(45 * kMiB, now_);
  EXPECT_FALSE(Look(45, 0));
}

TEST_F(ReturnPolicyTest, DoesNotAskAgainForWhatDidNotComeBack) {
  Look(300, 0);
  EXPECT_TRUE(Look(300, 0));
  policy_.Done(200 * kMiB, now_);
  EXPECT_FALSE(Look(200, 0));
  EXPECT_FALSE(Look(203, 0));
  EXPECT_TRUE(Look(220, 0)) << "more has come";
}

TEST_F(ReturnPolicyTest, AsksOnceMoreForWhatDidNotComeBack) {
  Look(300, 0);
  EXPECT_TRUE(Look(300, 0));
  policy_.Done(80 * kMiB, now_);
  int times = 0;
  for (int second = 1; second <= 120; ++second) {
    if (!Look(80, 0)) continue;
    ++times;
    EXPECT_EQ(second, 30) << "what was on its way has long ended";
    policy_.Done(80 * kMiB, now_);
  }
  EXPECT_EQ(times, 1);
}

TEST_F(ReturnPolicyTest, GivesBackWhileCallsRunButSeldom) {
  int times = 0;
  for (int second = 0; second < 90; ++second) {
    if (!Look(300, 5)) continue;
    ++times;
    policy_.Done(250 * kMiB, now_);
  }
  EXPECT_EQ(times, 3);
}

TEST_F(ReturnPolicyTest, LeavesALittleAlone) {
  for (int second = 0; second < 90; ++second) EXPECT_FALSE(Look(48, second % 3));
}

TEST(AllocatorArenasTest, AreAsFewAsTheirLocksAllow) {
  EXPECT_EQ(AllocatorArenas(2, false), 1);
  EXPECT_EQ(AllocatorArenas(16, false), 2);
  EXPECT_EQ(AllocatorArenas(128, false), 16);
  EXPECT_EQ(AllocatorArenas(128, true), 1);
}

}  // namespace
}  // namespace hearwire
