// float to IEEE 754 binary16.

#ifndef HEARWIRE_SERVER_RPC_FLOAT16_H_
#define HEARWIRE_SERVER_RPC_FLOAT16_H_

#include <cstdint>

namespace hearwire {

// What binary16 can hold at most; a finite value from 65520 on rounds to infinity.
inline constexpr float kMaxFloat16 = 65504.0f;

// The nearest binary16, ties to even; subnormals are kept, what is too large becomes infinity, NaN stays NaN.
uint16_t ToFloat16(float value);

constexpr bool IsFiniteFloat16(uint16_t bits) { return (bits & 0x7c00) != 0x7c00; }

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_FLOAT16_H_
