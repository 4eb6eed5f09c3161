#include "server/concurrency/periodic.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/time/clock.h"

namespace hearwire {
namespace {

TEST(PeriodicTest, WorksAgainAndAgainUntilItsEnd) {
  std::atomic<int> calls = 0;
  {
    const Periodic periodic("test", absl::Milliseconds(1), [&] { calls.fetch_add(1); });
    while (calls.load() < 3) absl::SleepFor(absl::Milliseconds(1));
  }
  const int last = calls.load();
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(calls.load(), last);
}

TEST(PeriodicTest, EndsWithoutWaitingForItsPeriod) {
  std::atomic<int> calls = 0;
  {
    const Periodic periodic("test", absl::Hours(10), [&] { calls.fetch_add(1); });
  }
  EXPECT_EQ(calls.load(), 0);
}

}  // namespace
}  // namespace hearwire
