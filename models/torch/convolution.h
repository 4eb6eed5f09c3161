// A convolution with its activation, on whatever the device runs best.

#ifndef HEARWIRE_MODELS_TORCH_CONVOLUTION_H_
#define HEARWIRE_MODELS_TORCH_CONVOLUTION_H_

#include <memory>

#include "models/checkpoint/network_weights.h"
#include "models/configs/network_shape.h"
#include "models/torch_module/torch_module.h"

namespace at {
class Tensor;
}  // namespace at
namespace c10 {
struct TensorOptions;
}  // namespace c10

namespace hearwire {

// Which of LibTorch's operators run a network.
struct Operators {
  bool one_dnn = false;    // oneDNN's, which fuse bias, activation and sum: on the CPU, in float32.
  CudaTuning tuning = {};  // Else those that CUDA has too, on any device, and which of them.
};

struct ConvolutionSpec {
  Activation activation = Activation::kNone;
  int stride = 1;  // On both axes. Padding is half the kernel.
  bool depthwise = false;
  // Run gives its result less the bias of each channel; whoever reads the result allows for it. Not with oneDNN, and
  // not with hardswish.
  bool leave_out_bias = false;
  // Size of the input map for a window of 160 ms: weights are packed for it.
  int typical_time;
  int typical_mels;
};

// Maps are [windows, channels, time, mels], channels last in memory. Throws LibTorch's exceptions. Thread-safe.
class Convolution {
 public:
  virtual ~Convolution() = default;

  virtual at::Tensor Run(const at::Tensor& input) const = 0;

  // Adds Run's result to `sum`, in place; only without activation.
  virtual void AddTo(at::Tensor& sum, const at::Tensor& input) const = 0;
};

// In the device and dtype of `options`.
std::unique_ptr<Convolution> MakeConvolution(const Operators& operators, const ConvolutionWeights& weights,
                                             const ConvolutionSpec& spec, const c10::TensorOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CONVOLUTION_H_
