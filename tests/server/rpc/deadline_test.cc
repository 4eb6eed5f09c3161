#include "server/rpc/deadline.h"

#include <gtest/gtest.h>

#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {
namespace {

// While ReadDeadline reads the clocks a little time passes, on a busy machine more.
constexpr absl::Duration kBetweenClocks = absl::Seconds(20);

TEST(ReadDeadlineTest, KeepsTheTimeThatIsLeftOnEitherClock) {
  for (const gpr_clock_type clock : {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME}) {
    const gpr_timespec deadline = gpr_time_add(gpr_now(clock), gpr_time_from_seconds(3600, GPR_TIMESPAN));
    const absl::Duration left = ReadDeadline(deadline) - SteadyTime::Now();
    EXPECT_LT(left, absl::Hours(1) + kBetweenClocks);
    EXPECT_GT(left, absl::Hours(1) - kBetweenClocks);
  }
}

TEST(ReadDeadlineTest, KeepsDeadlinesThatHavePassed) {
  const gpr_timespec deadline = gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(60, GPR_TIMESPAN));
  const absl::Duration left = ReadDeadline(deadline) - SteadyTime::Now();
  EXPECT_LT(left, -absl::Minutes(1) + kBetweenClocks);
  EXPECT_GT(left, -absl::Minutes(1) - kBetweenClocks);
}

TEST(ReadDeadlineTest, WithoutADeadlineThereIsNone) {
  for (const gpr_clock_type clock : {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME}) {
    EXPECT_EQ(ReadDeadline(gpr_inf_future(clock)), SteadyTime::InfiniteFuture());
  }
}

}  // namespace
}  // namespace hearwire
