// Runs 1 x 1 convolutions and linear layers in the precision that their weights were packed in.

#ifndef HEARWIRE_MODELS_NATIVE_PRODUCTS_H_
#define HEARWIRE_MODELS_NATIVE_PRODUCTS_H_

#include "models/native/bfloat16.h"
#include "models/native/kernels.h"

namespace hearwire {

// A worker's memory for it: a product's inputs in bfloat16. One thread at a time.
class Products {
 public:
  explicit Products(const Kernels& kernels) : kernels_(kernels) {}

  void Run(const PointwiseWeights& weights, const PointwiseCall& call) {
    if (weights.pairs.size() > 0) {
      PointwiseBfloat16(weights, call, rounded_);
    } else {
      kernels_.pointwise(weights, call);
    }
  }

 private:
  const Kernels kernels_;
  AlignedPairs rounded_;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_PRODUCTS_H_
