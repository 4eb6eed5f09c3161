// Convolutions by ATen's operators, in as few launches as these allow on CUDA.
//
// A launch costs a GPU several microseconds, and a pass over a map of its own costs its memory. What is fused:
//
//   1 x 1           a matrix product over the map's pixels, whose channels are last in memory. cuBLAS adds the bias and
//                   applies a ReLU in it; a residual is added by a product that starts from the sum. Hardswish is a
//                   second launch.
//   stem, depthwise ATen's own kernel, which wants channels first and adds the bias. A copy precedes it, but for the
//   stem,
//                   whose map has one channel; the activation writes channels last again: three launches, or two.
//   by cuDNN        the convolution, the bias, the activation: three launches.
//   bias left out   by cuDNN alone: max(x, -bias) is a ReLU behind a bias less the bias, one launch for both.
//
// cuDNN makes a plan for every convolution in every shape. On an H100 that took 0.2 s a plan where it timed several,
// and a network has 13 of them in each shape: so it is used only where CudaTuning says so. cuDNN's own fusion
// (at::cudnn_convolution_relu, at::cudnn_convolution_add_relu) is not used. It has ReLU alone, ATen asks it for
// algorithms that need not be deterministic whatever the context says, and it is not documented which groups and
// layouts it has in float32.

#ifndef HEARWIRE_MODELS_TORCH_ATEN_CONVOLUTION_H_
#define HEARWIRE_MODELS_TORCH_ATEN_CONVOLUTION_H_

#include <memory>

#include "models/torch/convolution.h"

namespace hearwire {

// Throws LibTorch's exceptions.
std::unique_ptr<Convolution> MakeAtenConvolution(const CudaTuning& tuning, const ConvolutionWeights& weights,
                                                 const ConvolutionSpec& spec, const c10::TensorOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_ATEN_CONVOLUTION_H_
