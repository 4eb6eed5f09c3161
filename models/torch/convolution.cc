#include "models/torch/convolution.h"

#include <c10/core/TensorOptions.h>

#include "models/torch/aten_convolution.h"
#include "models/torch/one_dnn_convolution.h"

namespace hearwire {

std::unique_ptr<Convolution> MakeConvolution(const Operators& operators, const ConvolutionWeights& weights,
                                             const ConvolutionSpec& spec, const at::TensorOptions& options) {
  if (operators.one_dnn) return MakeOneDnnConvolution(weights, spec, options);
  return MakeAtenConvolution(operators.tuning, weights, spec, options);
}

}  // namespace hearwire
