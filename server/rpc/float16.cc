#include "server/rpc/float16.h"

#include <bit>

namespace hearwire {
namespace {

// value / 2^shift, to the nearest integer, ties to even. shift: 1 to 31.
uint32_t ShiftToNearestEven(uint32_t value, int shift) {
  const uint32_t half = uint32_t{1} << (shift - 1);
  const uint32_t rest = value & ((uint32_t{1} << shift) - 1);
  const uint32_t quotient = value >> shift;
  return quotient + (rest > half || (rest == half && (quotient & 1) != 0) ? 1 : 0);
}

}  // namespace

uint16_t ToFloat16(float value) {
  constexpr int kMantissaDifference = 13;  // 23 bits to 10.
  constexpr int kBiasDifference = 112;     // 127 to 15.
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  const int exponent = static_cast<int>(magnitude >> 23) - kBiasDifference;
  uint32_t result;
  if (magnitude > 0x7f800000) {
    result = 0x7e00;
  } else if (exponent >= 31) {
    result = 0x7c00;
  } else if (exponent >= 1) {
    // A mantissa that rounds up carries into the exponent, and the largest exponent's into infinity, as it must.
    result = ShiftToNearestEven(magnitude - (uint32_t{kBiasDifference} << 23), kMantissaDifference);
  } else if (exponent >= -10) {
    result = ShiftToNearestEven((magnitude & 0x7fffff) | 0x800000, kMantissaDifference + 1 - exponent);
  } else {
    result = 0;
  }
  return static_cast<uint16_t>(sign | result);
}

}  // namespace hearwire
