#include "load/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

TEST(HistogramTest, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.Quantile(0.99), absl::ZeroDuration());
  EXPECT_EQ(histogram.Mean(), absl::ZeroDuration());
}

TEST(HistogramTest, QuantilesAreNeverBelowAndAtMostAPartIn256Above) {
  std::mt19937_64 random(1);
  std::vector<int64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<int64_t>(std::exp2(std::uniform_real_distribution<double>(0, 42)(random))));
    histogram.Record(absl::Nanoseconds(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.0001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const int64_t exact = values[static_cast<size_t>(std::ceil(share * 20000)) - 1];
    const int64_t found = absl::ToInt64Nanoseconds(histogram.Quantile(share));
    EXPECT_GE(found, exact) << share;
    EXPECT_LE(static_cast<double>(found), static_cast<double>(exact) * (1 + 1.0 / 256)) << share;
  }
  EXPECT_EQ(histogram.max(), absl::Nanoseconds(values.back()));
}

TEST(HistogramTest, QuantileIsWhatThatShareDoesNotExceed) {
  Histogram histogram;
  histogram.Record(absl::Nanoseconds(10), 99);
  histogram.Record(absl::Nanoseconds(200));
  EXPECT_EQ(histogram.Quantile(0.5), absl::Nanoseconds(10));
  EXPECT_EQ(histogram.Quantile(0.99), absl::Nanoseconds(10));
  EXPECT_EQ(histogram.Quantile(0.991), absl::Nanoseconds(200));
  EXPECT_EQ(histogram.CountAtMost(absl::Nanoseconds(9)), 0);
  EXPECT_EQ(histogram.CountAtMost(absl::Nanoseconds(10)), 99);
  EXPECT_EQ(histogram.CountAtMost(absl::Hours(1)), 100);
  EXPECT_EQ(histogram.Mean(), absl::Nanoseconds(11.9));
}

TEST(HistogramTest, AddsTheStartsThatALongWaitMissed) {
  Histogram histogram;
  histogram.Record(absl::Nanoseconds(10), 5);
  histogram.Record(absl::Nanoseconds(40));
  const Histogram all = histogram.WithMissedStarts(absl::Nanoseconds(10), absl::Nanoseconds(10));
  // 40, and those that should have started 10, 20 and 30 ns later.
  EXPECT_EQ(all.count(), 9);
  EXPECT_EQ(all.CountAtMost(absl::Nanoseconds(10)), 6);
  EXPECT_EQ(all.CountAtMost(absl::Nanoseconds(20)), 7);
  EXPECT_EQ(all.CountAtMost(absl::Nanoseconds(30)), 8);
  EXPECT_EQ(histogram.count(), 6);
}

TEST(HistogramTest, AddsNothingForWaitsThatAreNotLong) {
  Histogram histogram;
  histogram.Record(absl::Nanoseconds(10), 5);
  histogram.Record(absl::Nanoseconds(40));
  EXPECT_EQ(histogram.WithMissedStarts(absl::Nanoseconds(10), absl::Nanoseconds(40)).count(), 6);
  EXPECT_EQ(histogram.WithMissedStarts(absl::Nanoseconds(10), absl::Nanoseconds(39)).count(), 9);
  EXPECT_EQ(histogram.MeanAtMost(absl::Nanoseconds(39)), absl::Nanoseconds(10));
  EXPECT_EQ(histogram.MeanAtMost(absl::Nanoseconds(40)), absl::Nanoseconds(15));
  EXPECT_EQ(histogram.MeanAtMost(absl::Nanoseconds(9)), absl::ZeroDuration());
}

TEST(HistogramTest, MissedStartsOfAVeryLongWaitAreAllCounted) {
  Histogram histogram;
  histogram.Record(absl::Seconds(10));
  const Histogram all = histogram.WithMissedStarts(absl::Microseconds(1), absl::ZeroDuration());
  EXPECT_EQ(all.count(), 10'000'000);
  EXPECT_NEAR(absl::ToDoubleSeconds(all.Quantile(0.5)), 5, 0.03);
}

}  // namespace
}  // namespace hearwire::load
