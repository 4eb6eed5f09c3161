// Products in bfloat16 with sums in float32, for x86-64 processors with AVX512-BF16.
//
// A *pair* is two neighbouring input channels in bfloat16, the even one in the low half: what one instruction
// multiplies and adds. Numbers are rounded to the nearest, ties to even. The instruction takes denormals for zeros.

#ifndef HEARWIRE_MODELS_NATIVE_BFLOAT16_H_
#define HEARWIRE_MODELS_NATIVE_BFLOAT16_H_

#include <cstdint>

#include "models/native/kernels.h"

namespace hearwire {

// Whether they can run beside `kernels`: on this processor, and with maps padded to their vectors.
bool RunsBfloat16(const Kernels& kernels);

// weights: with pairs. rounded: memory for the call's inputs in bfloat16, which grows as needed and is kept.
// Only where RunsBfloat16().
void PointwiseBfloat16(const PointwiseWeights& weights, const PointwiseCall& call, AlignedPairs& rounded);

// Two finite values as a pair.
uint32_t MakePair(float even, float odd);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_BFLOAT16_H_
