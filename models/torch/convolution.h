// A convolution with its activation, on whatever the device runs best.

#ifndef HEARWIRE_MODELS_TORCH_CONVOLUTION_H_
#define HEARWIRE_MODELS_TORCH_CONVOLUTION_H_

#include <memory>

#include "models/checkpoint/network_weights.h"
#include "models/configs/network_shape.h"

namespace at {
class Tensor;
}  // namespace at
namespace c10 {
struct TensorOptions;
}  // namespace c10

namespace hearwire {

struct ConvolutionSpec {
  Activation activation = Activation::kNone;
  int stride = 1;  // On both axes. Padding is half the kernel.
  bool depthwise = false;
  // Size of the input map for a window of 160 ms: weights are packed for it.
  int typical_time;
  int typical_mels;
};

// Maps are [windows, channels, time, mels], channels last in memory. Throws LibTorch's exceptions. Thread-safe.
class Convolution {
 public:
  virtual ~Convolution() = default;

  virtual at::Tensor Run(const at::Tensor& input) const = 0;

  // Adds the convolution to `sum`, in place; only without activation.
  virtual void AddTo(at::Tensor& sum, const at::Tensor& input) const = 0;
};

// On the CPU, float32: oneDNN with weights packed once and bias, activation and sum fused. (Plain ATen convolutions
// take 37 ms a layer there for 5 x 5 depthwise ones on small maps.) Elsewhere: ATen, in the dtype of `options`.
std::unique_ptr<Convolution> MakeConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec,
                                             const c10::TensorOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_CONVOLUTION_H_
