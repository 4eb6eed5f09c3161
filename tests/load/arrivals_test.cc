#include "tests/load/arrivals.h"

#include <vector>

#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

TEST(ArrivalsTest, ConstantOnesAreEquallyApart) {
  Arrivals arrivals(ArrivalKind::kConstant, 4, 1);
  EXPECT_EQ(arrivals.Next(), absl::Milliseconds(250));
  EXPECT_EQ(arrivals.Next(), absl::Milliseconds(500));
  EXPECT_EQ(arrivals.Next(), absl::Milliseconds(750));
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
