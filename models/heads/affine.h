#ifndef HEARWIRE_MODELS_HEADS_AFFINE_H_
#define HEARWIRE_MODELS_HEADS_AFFINE_H_

#include <cstddef>

#include "models/checkpoint/network_weights.h"

namespace hearwire {

// y = W x + b in double precision, for `count` inputs; each has the result that it has alone, to the bit.
// x: [count, layer.in_channels], y: [count, layer.out_channels]; they do not overlap.
void ComputeAffine(const LinearWeights& layer, const double* x, size_t count, double* y);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_HEADS_AFFINE_H_
