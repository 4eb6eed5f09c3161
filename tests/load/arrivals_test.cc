#include "load/arrivals.h"

#include <vector>

#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

TEST(ArrivalsTest, ConstantOnesAreEquallyApart) {
  Arrivals arrivals(ArrivalKind::kConstant, 4, 1);
  EXPECT_EQ(arrivals.Next(), absl::Milliseconds(125));
  EXPECT_EQ(arrivals.Next(), absl::Milliseconds(375));
  EXPECT_EQ(arrivals.Next(), absl::Milliseconds(625));
}

TEST(ArrivalsTest, ShortRunsHaveAsManyAsTheRateSays) {
  const auto due_within = [](ArrivalKind kind, absl::Duration time, uint64_t seed) {
    Arrivals arrivals(kind, 20, seed);
    int count = 0;
    while (arrivals.Next() < time) ++count;
    return count;
  };
  EXPECT_EQ(due_within(ArrivalKind::kConstant, absl::Seconds(1), 1), 20);
  EXPECT_EQ(due_within(ArrivalKind::kConstant, absl::Milliseconds(150), 1), 3);
  double sum = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) sum += due_within(ArrivalKind::kPoisson, absl::Seconds(1), seed);
  EXPECT_NEAR(sum / 4000, 20, 0.3);  // Its standard deviation is 0.07.
}

TEST(ArrivalsTest, PoissonOnesScatterAsTheirRateSays) {
  Arrivals arrivals(ArrivalKind::kPoisson, 100, 1);
  // Of Poisson arrivals the number in a second has its mean for its variance.
  std::vector<int> counts(1000);
  for (absl::Duration due = arrivals.Next(); due < absl::Seconds(1000); due = arrivals.Next()) {
    ++counts[static_cast<size_t>(absl::ToInt64Seconds(due))];
  }
  double sum = 0, squares = 0;
  for (const int count : counts) {
    sum += count;
    squares += 1.0 * count * count;
  }
  const double mean = sum / 1000;
  EXPECT_NEAR(mean, 100, 1.5);
  EXPECT_NEAR(squares / 1000 - mean * mean, 100, 20);
}

TEST(ArrivalsTest, TheSameSeedMakesTheSameSchedule) {
  Arrivals one(ArrivalKind::kPoisson, 10, 7), same(ArrivalKind::kPoisson, 10, 7), other(ArrivalKind::kPoisson, 10, 8);
  const absl::Duration due = one.Next();
  EXPECT_EQ(same.Next(), due);
  EXPECT_NE(other.Next(), due);
}

}  // namespace
}  // namespace hearwire::load
