#include "server/rpc/float16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace hearwire {
namespace {

double Value(uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

TEST(ToFloat16Test, KeepsEveryFloat16) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const double value = Value(static_cast<uint16_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(ToFloat16(static_cast<float>(value)), bits) << value;
  }
}

TEST(ToFloat16Test, RoundsToTheNearestAndTiesToEven) {
  for (int bits = 0; bits < 0x7bff; ++bits) {
    const double low = Value(static_cast<uint16_t>(bits));
    const double high = Value(static_cast<uint16_t>(bits + 1));
    const float middle = static_cast<float>((low + high) / 2);
    const int even = bits % 2 == 0 ? bits : bits + 1;
    ASSERT_EQ(ToFloat16(middle), even) << middle;
    ASSERT_EQ(ToFloat16(std::nextafter(middle, 0.0f)), bits) << middle;
    ASSERT_EQ(ToFloat16(std::nextafter(middle, INFINITY)), bits + 1) << middle;
    ASSERT_EQ(ToFloat16(-middle), even | 0x8000) << middle;
  }
}

TEST(ToFloat16Test, IsInfiniteFromHalfAStepBeyondTheLargestOn) {
  EXPECT_EQ(ToFloat16(kMaxFloat16), 0x7bff);
  EXPECT_EQ(ToFloat16(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(ToFloat16(65520.0f), 0x7c00);
  EXPECT_EQ(ToFloat16(-1e30f), 0xfc00);
  EXPECT_FALSE(IsFiniteFloat16(ToFloat16(65520.0f)));
  EXPECT_TRUE(IsFiniteFloat16(ToFloat16(-kMaxFloat16)));
}

TEST(ToFloat16Test, KeepsNanAndLosesWhatIsTooSmall) {
  EXPECT_TRUE(std::isnan(Value(ToFloat16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_FALSE(IsFiniteFloat16(ToFloat16(std::bit_cast<float>(0x7f800001u))));
  EXPECT_EQ(ToFloat16(1e-30f), 0);
  EXPECT_EQ(ToFloat16(std::numeric_limits<float>::denorm_min()), 0);
}

}  // namespace
}  // namespace hearwire
