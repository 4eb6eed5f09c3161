#ifndef HEARWIRE_MODELS_HEADS_AFFINE_H_
#define HEARWIRE_MODELS_HEADS_AFFINE_H_

#include "models/checkpoint/network_weights.h"

namespace hearwire {

// y = W x + b in double precision. x: [layer.in_channels], y: [layer.out_channels]; they do not overlap.
void ComputeAffine(const LinearWeights& layer, const double* x, double* y);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_HEADS_AFFINE_H_
