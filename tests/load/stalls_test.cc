#include "load/stalls.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"
#include "load/report.h"

namespace hearwire::load {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);
const LoadOptions kClosed = {.concurrency = 1};

// 5000 calls that scatter as those of a busy machine: median 0.4 ms, mean about 1.2 ms, some above 10 ms.
Measurement Scattered() {
  Measurement measurement;
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> milliseconds(std::log(0.4), 1.4);
  for (int i = 0; i < 5000; ++i) measurement.latency.Record(absl::Milliseconds(milliseconds(random)));
  return measurement;
}

void Succeed(Measurement* measurement) {
  measurement->calls = measurement->succeeded = measurement->latency.count();
  measurement->succeeded_latency = measurement->latency;
}

TEST(StallsTest, ARunWithoutAStallIsTakenAsItWasMade) {
  Measurement measurement = Scattered();
  ASSERT_GT(measurement.latency.max(), 20 * measurement.latency.Mean());
  ASSERT_GT(measurement.latency.Mean(), 2 * measurement.latency.Quantile(0.5));
  Succeed(&measurement);
  const RunSummary run = Summarise(measurement, kClosed, nullptr, nullptr);
  const auto same = [](const LatencySummary& one, const LatencySummary& two) {
    EXPECT_EQ(one.p50_ms, two.p50_ms);
    EXPECT_EQ(one.p90_ms, two.p90_ms);
    EXPECT_EQ(one.p99_ms, two.p99_ms);
    EXPECT_EQ(one.p999_ms, two.p999_ms);
    EXPECT_EQ(one.max_ms, two.max_ms);
    EXPECT_EQ(one.mean_ms, two.mean_ms);
  };
  same(run.latency, *run.as_made);
  same(run.succeeded_latency, *run.as_made);
  for (const PercentilePoint& point : PercentilePoints(measurement, kClosed)) {
    EXPECT_EQ(point.ms, absl::ToDoubleMilliseconds(measurement.latency.Quantile(point.share))) << point.share;
  }
  const absl::Duration p99 = measurement.latency.Quantile(0.99);
  EXPECT_EQ(ShareWithin(measurement, kClosed, p99), measurement.latency.CountAtMost(p99) / 5000.0);
}

TEST(StallsTest, SlowCallsAreNoStallWhereOneInAHundredIsSlow) {
  Measurement measurement;
  measurement.latency.Record(kMs, 980);
  measurement.latency.Record(200 * kMs, 19);
  measurement.latency.Record(999 * kMs);
  const StallRule rule = FindStalls(measurement, kClosed);
  EXPECT_GE(rule.longest_ordinary, 1000 * kMs);
  EXPECT_EQ(DueLatency(measurement.latency, rule).Quantile(0.9), measurement.latency.Quantile(0.9));
}

TEST(StallsTest, NothingIsEverLessThanAsMade) {
  // Ten seconds each, of 0.5 % of the calls: those that were missed waited for less.
  Measurement measurement;
  measurement.latency.Record(100 * kMs, 995);
  measurement.latency.Record(10100 * kMs, 5);
  Succeed(&measurement);
  const DueLatency due(measurement.latency, FindStalls(measurement, kClosed));
  for (int i = 1; i <= 1000; ++i) EXPECT_GE(due.Quantile(i / 1000.0), measurement.latency.Quantile(i / 1000.0)) << i;
  EXPECT_GT(due.Quantile(0.99), 9000 * kMs);
  EXPECT_EQ(due.Quantile(0.5), measurement.latency.Quantile(0.5));
}

TEST(StallsTest, TheShareWithinABoundIsThatOfThePercentiles) {
  // Three quarters of the time are one stall.
  Measurement measurement;
  measurement.latency.Record(kMs, 1000);
  measurement.latency.Record(3000 * kMs);
  Succeed(&measurement);
  const DueLatency due(measurement.latency, FindStalls(measurement, kClosed));
  for (const double share : {0.25, 0.5, 0.6, 0.9, 0.99, 0.999}) {
    EXPECT_GE(due.ShareWithin(due.Quantile(share), due), share);
    EXPECT_LE(due.ShareWithin(due.Quantile(share) * 0.99, due), share);
  }
  EXPECT_EQ(ShareWithin(measurement, kClosed, kMs * 0.9), 0);
}

TEST(StallsTest, AStallThatFailedIsNotWithinAnyBound) {
  Measurement measurement;
  measurement.latency.Record(kMs, 9000);
  measurement.succeeded_latency = measurement.latency;
  measurement.latency.Record(absl::Seconds(1));
  EXPECT_NEAR(ShareWithin(measurement, kClosed, absl::Minutes(1)), 0.9, 0.001);
}

TEST(StallsTest, AnOpenLoopHasNone) {
  Measurement measurement;
  measurement.latency.Record(kMs, 9000);
  measurement.latency.Record(absl::Seconds(1));
  EXPECT_EQ(FindStalls(measurement, {.rate = 10}).longest_ordinary, absl::InfiniteDuration());
}

}  // namespace
}  // namespace hearwire::load
