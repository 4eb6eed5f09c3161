#include "server/stop_signals.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

TEST(StopSignalsTest, CountsWhatFollowsWithin100MsAsTheSameRequest) {
  const SteadyTime start = SteadyTime::Now();
  StopSignals signals;
  EXPECT_EQ(signals.Take(start), StopSignals::Meaning::kStop);
  EXPECT_EQ(signals.Take(start), StopSignals::Meaning::kRepeat);
  EXPECT_EQ(signals.Take(start + absl::Milliseconds(99)), StopSignals::Meaning::kRepeat);
  EXPECT_EQ(signals.Take(start + absl::Milliseconds(100)), StopSignals::Meaning::kEndNow) << "counted from the first";
}

}  // namespace
}  // namespace hearwire
