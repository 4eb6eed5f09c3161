#include "server/audio/non_finite.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace hearwire {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(FindNonFiniteTest, FindsTheFirst) {
  for (const size_t size : {1, 255, 256, 257, 1000}) {
    std::vector<float> values(size, -kMax);
    EXPECT_EQ(FindNonFinite(values), -1);
    for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
      values.assign(size, kMax);
      values[size - 1] = bad;
      EXPECT_EQ(FindNonFinite(values), static_cast<int64_t>(size - 1));
      values[size / 2] = bad;
      EXPECT_EQ(FindNonFinite(values), static_cast<int64_t>(size / 2));
    }
  }
  EXPECT_EQ(FindNonFinite({}), -1);
}

}  // namespace
}  // namespace hearwire
