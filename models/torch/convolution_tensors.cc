#include "models/torch/convolution_tensors.h"

#include <ATen/ops/from_blob.h>

namespace hearwire {

at::Tensor CopyToTensor(const std::vector<float>& values, at::IntArrayRef shape, const at::TensorOptions& options) {
  // from_blob takes no const; the copy leaves the weights alone.
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).to(options, false, /*copy=*/true);
}

at::Tensor MakeKernel(const ConvolutionWeights& weights, const at::TensorOptions& options) {
  const std::vector<int64_t> shape = {weights.out_channels, weights.in_channels, weights.kernel, weights.kernel};
  return CopyToTensor(weights.weight, shape, options).transpose(2, 3).contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace hearwire
