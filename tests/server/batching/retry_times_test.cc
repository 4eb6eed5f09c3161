#include "server/batching/retry_times.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

SteadyTime At(double seconds) { return SteadyTime() + absl::Seconds(1000 + seconds); }

class RetryTimesTest : public testing::Test {
 protected:
  // A call of 1 s that comes while there are 2 s of work, in seconds.
  double Refuse(double at, int caller = 0, size_t id = 7) {
    times_.OnCall(caller, id, At(at));
    return absl::ToDoubleSeconds(times_.Wait(caller, absl::Seconds(2), absl::Seconds(1), At(at)));
  }

  RetryTimes times_{absl::Seconds(1)};
};

TEST_F(RetryTimesTest, TellsCallsToComeOneAfterTheOther) {
  EXPECT_EQ(Refuse(0), 1.5) << "half a second before there is room: a call may wait here";
  EXPECT_EQ(Refuse(0), 2.5);
  EXPECT_EQ(Refuse(0), 3.5);
  for (int i = 0; i < 20; ++i) EXPECT_LE(Refuse(0), 9.5);
  EXPECT_EQ(Refuse(0), 9.5);
}

TEST_F(RetryTimesTest, KeepsThemInTurnWhileTheyCome) {
  for (int i = 0; i < 4; ++i) Refuse(0);
  times_.OnCall(0, 7, At(1.6));  // The first, which is let in.
  times_.OnCall(0, 7, At(2.7));
  EXPECT_EQ(Refuse(3), 2.5) << "behind the two that are to come";
}

TEST_F(RetryTimesTest, ForgetsThoseWhoDoNotCome) {
  for (const int caller : {0, 1}) {
    for (int i = 0; i < 4; ++i) Refuse(0, caller);
  }
  EXPECT_GT(Refuse(2.4, 0), 3.0) << "the first was told 1.5 s, and may be late";
  EXPECT_EQ(Refuse(2.6, 1), 1.5) << "it has not come, and so the others will not";
  EXPECT_EQ(Refuse(2.6, 1), 2.5);
}

TEST_F(RetryTimesTest, CallersThatComeOnceDoNotCountForTheNextOnes) {
  // Each is gone when the next one gets its number.
  for (size_t id = 1; id < 50; ++id) EXPECT_EQ(Refuse(0.01 * static_cast<double>(id), 0, id), 1.5);
}

TEST_F(RetryTimesTest, EachCallerHasItsOwn) {
  EXPECT_EQ(Refuse(0, 3, 1), 1.5);
  EXPECT_EQ(Refuse(0, 3, 1), 2.5);
  EXPECT_EQ(Refuse(0, 1, 2), 1.5);
}

}  // namespace
}  // namespace hearwire
