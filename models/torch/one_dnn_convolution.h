// Convolutions on the CPU by oneDNN, with weights packed once and bias, activation and sum fused.
//
// Plain ATen convolutions take 37 ms a layer there for 5 x 5 depthwise ones on small maps.

#ifndef HEARWIRE_MODELS_TORCH_ONE_DNN_CONVOLUTION_H_
#define HEARWIRE_MODELS_TORCH_ONE_DNN_CONVOLUTION_H_

#include <memory>

#include "models/torch/convolution.h"

namespace hearwire {

// options: the CPU, float32. The spec leaves no bias out. Throws LibTorch's exceptions.
std::unique_ptr<Convolution> MakeOneDnnConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec,
                                                   const c10::TensorOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_ONE_DNN_CONVOLUTION_H_
