// A network's weights as tensors.

#ifndef HEARWIRE_MODELS_TORCH_CONVOLUTION_TENSORS_H_
#define HEARWIRE_MODELS_TORCH_CONVOLUTION_TENSORS_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "models/checkpoint/network_weights.h"

namespace hearwire {

// A copy in the device and dtype of `options`. Throws LibTorch's exceptions.
at::Tensor CopyToTensor(const std::vector<float>& values, at::IntArrayRef shape, const at::TensorOptions& options);

// The weights' [out, in, mels, time] as [out, in, time, mels], channels last in memory. Throws LibTorch's exceptions.
at::Tensor MakeKernel(const ConvolutionWeights& weights, const at::TensorOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CONVOLUTION_TENSORS_H_
