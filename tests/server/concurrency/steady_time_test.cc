#include "server/concurrency/steady_time.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

TEST(SteadyTimeTest, DifferencesAreDurations) {
  const SteadyTime start = SteadyTime::Now();
  const SteadyTime later = start + absl::Milliseconds(1500);
  EXPECT_EQ(later - start, absl::Milliseconds(1500));
  EXPECT_EQ(later - absl::Milliseconds(1500), start);
  EXPECT_LT(start, later);
  EXPECT_GE(SteadyTime::Now(), start);
}

TEST(SteadyTimeTest, InfinitePointsStayInfinite) {
  EXPECT_EQ(SteadyTime::InfiniteFuture() + absl::Hours(1), SteadyTime::InfiniteFuture());
  EXPECT_EQ(SteadyTime::InfiniteFuture() - absl::Hours(1), SteadyTime::InfiniteFuture());
  EXPECT_EQ(SteadyTime::InfiniteFuture() - SteadyTime::Now(), absl::InfiniteDuration());
  EXPECT_LT(SteadyTime::InfinitePast(), SteadyTime());
  EXPECT_EQ(SteadyTime::Now() + absl::InfiniteDuration(), SteadyTime::InfiniteFuture());
}

TEST(SteadyTimeTest, IsTheStandardLibrarysSteadyClock) {
  const auto before = std::chrono::steady_clock::now();
  const auto now = SteadyTime::Now().ToChrono();
  EXPECT_LE(before, now);
  EXPECT_LE(now, std::chrono::steady_clock::now());
  EXPECT_EQ(SteadyTime::InfiniteFuture().ToChrono(), std::chrono::steady_clock::time_point::max());
  EXPECT_EQ(SteadyTime::InfinitePast().ToChrono(), std::chrono::steady_clock::time_point::min());
}

}  // namespace
}  // namespace hearwire
