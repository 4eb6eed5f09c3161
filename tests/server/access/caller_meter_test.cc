#include "server/access/caller_meter.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

const SteadyTime kStart = SteadyTime::Now();

Caller Of(const std::string& name, CallerLimits limits) { return {name, limits, true}; }

TEST(CallerMeterTest, LetsEverythingThroughWithoutLimits) {
  CallerMeter meter(10);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(meter.TakeCall(Of("a", {}), 1 << 30, kStart));
  EXPECT_EQ(meter.callers(), 0u) << "nothing is kept of them";
}

TEST(CallerMeterTest, GivesAMinutesWorthAtOnceAndThenAsItIsRegained) {
  CallerMeter meter(10);
  const Caller caller = Of("a", {.calls = 60});
  for (int i = 0; i < 60; ++i) EXPECT_FALSE(meter.TakeCall(caller, 0, kStart)) << i;
  const auto over = meter.TakeCall(caller, 0, kStart);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->limit, "calls");
  EXPECT_EQ(over->per_minute, 60);
  EXPECT_NEAR(absl::ToDoubleSeconds(over->retry_after), 1, 1e-6);
  EXPECT_TRUE(meter.TakeCall(caller, 0, kStart + absl::Milliseconds(900)));
  EXPECT_FALSE(meter.TakeCall(caller, 0, kStart + absl::Milliseconds(1001)));
  EXPECT_TRUE(meter.TakeCall(caller, 0, kStart + absl::Milliseconds(1002)));
  // No more than a minute's worth is saved up.
  for (int i = 0; i < 60; ++i) EXPECT_FALSE(meter.TakeCall(caller, 0, kStart + absl::Hours(1))) << i;
  EXPECT_TRUE(meter.TakeCall(caller, 0, kStart + absl::Hours(1)));
}

TEST(CallerMeterTest, TellsCallersApart) {
  CallerMeter meter(10);
  EXPECT_FALSE(meter.TakeCall(Of("a", {.calls = 1}), 0, kStart));
  EXPECT_TRUE(meter.TakeCall(Of("a", {.calls = 1}), 0, kStart));
  EXPECT_FALSE(meter.TakeCall(Of("b", {.calls = 1}), 0, kStart));
}

TEST(CallerMeterTest, TakesNothingOfACallThatIsRefused) {
  CallerMeter meter(10);
  const Caller caller = Of("a", {.calls = 2, .bytes = 100});
  EXPECT_FALSE(meter.TakeCall(caller, 60, kStart));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(meter.TakeCall(caller, 60, kStart)->limit, "bytes");
  EXPECT_FALSE(meter.TakeCall(caller, 40, kStart));
  EXPECT_EQ(meter.TakeCall(caller, 0, kStart)->limit, "calls");
}

TEST(CallerMeterTest, LetsOneLargeCallBeginAndMakesItUpAfterwards) {
  CallerMeter meter(10);
  const Caller caller = Of("a", {.bytes = 100});
  EXPECT_FALSE(meter.TakeCall(caller, 300, kStart)) << "it would never fit";
  const auto over = meter.TakeCall(caller, 1, kStart);
  ASSERT_TRUE(over);
  EXPECT_GT(over->retry_after, absl::Minutes(2));
  EXPECT_LT(over->retry_after, absl::Minutes(2.1));
  EXPECT_FALSE(meter.TakeCall(caller, 1, kStart + over->retry_after + absl::Milliseconds(1)));
}

TEST(CallerMeterTest, CountsAudioWhenItIsKnown) {
  CallerMeter meter(10);
  const Caller caller = Of("a", {.audio_seconds = 60});
  EXPECT_FALSE(meter.TakeCall(caller, 0, kStart));
  EXPECT_FALSE(meter.Take(caller, 0, absl::Seconds(30), kStart));
  EXPECT_FALSE(meter.TakeCall(caller, 0, kStart));
  EXPECT_EQ(meter.Take(caller, 0, absl::Seconds(60), kStart)->limit, "audio_seconds");
  EXPECT_EQ(meter.TakeCall(caller, 0, kStart)->limit, "audio_seconds");
  EXPECT_FALSE(meter.TakeCall(caller, 0, kStart + absl::Seconds(31)));
}

TEST(CallerMeterTest, TakesLimitsThatHaveBecomeOthers) {
  CallerMeter meter(10);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(meter.TakeCall(Of("a", {.calls = 5}), 0, kStart));
  EXPECT_TRUE(meter.TakeCall(Of("a", {.calls = 500}), 0, kStart));
  EXPECT_FALSE(meter.TakeCall(Of("a", {.calls = 500}), 0, kStart + absl::Seconds(1)));
  EXPECT_FALSE(meter.TakeCall(Of("a", {.calls = 500, .bytes = 7}), 7, kStart + absl::Seconds(2)));
}

TEST(CallerMeterTest, ForgetsThoseThatWereHeardOfLongestAgo) {
  CallerMeter meter(2);
  EXPECT_FALSE(meter.TakeCall(Of("a", {.calls = 1}), 0, kStart));
  EXPECT_FALSE(meter.TakeCall(Of("b", {.calls = 1}), 0, kStart));
  EXPECT_TRUE(meter.TakeCall(Of("a", {.calls = 1}), 0, kStart));
  EXPECT_FALSE(meter.TakeCall(Of("c", {.calls = 1}), 0, kStart));
  EXPECT_EQ(meter.callers(), 2u);
  EXPECT_TRUE(meter.TakeCall(Of("a", {.calls = 1}), 0, kStart)) << "b went, not a";
  for (int i = 0; i < 1000; ++i) (void)meter.TakeCall(Of(absl::StrCat("x", i), {.calls = 1}), 0, kStart);
  EXPECT_EQ(meter.callers(), 2u);
}

}  // namespace
}  // namespace hearwire
