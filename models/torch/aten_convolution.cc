#include "models/torch/aten_convolution.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_addmm_activation.h>
#include <ATen/ops/_conv_depthwise2d.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/mm.h>

#include <array>

#include "models/torch/convolution_tensors.h"

namespace hearwire {
namespace {

// [windows, channels, time, mels], channels last in memory, as [windows x time x mels, channels]: no copy.
at::Tensor Pixels(const at::Tensor& map) { return map.permute({0, 2, 3, 1}).reshape({-1, map.size(1)}); }

// In place where `to` is `from`.
void Activate(Activation activation, const at::Tensor& from, at::Tensor& to) {
  switch (activation) {
    case Activation::kRelu:
      at::clamp_min_out(to, from, 0);  // at::relu_out copies.
      return;
    case Activation::kHardswish:
      at::hardswish_out(to, from);
      return;
    case Activation::kNone:
      if (!to.is_same(from)) to.copy_(from);
  }
}

class PointwiseProduct final : public Convolution {
 public:
  PointwiseProduct(const ConvolutionWeights& weights, const ConvolutionSpec& spec, const at::TensorOptions& options)
      : activation_(spec.activation),
        weight_(CopyToTensor(weights.weight, {weights.out_channels, weights.in_channels}, options).t().contiguous()) {
    if (!spec.leave_out_bias) bias_ = CopyToTensor(weights.bias, {weights.out_channels}, options);
  }

  at::Tensor Run(const at::Tensor& input) const override {
    at::Tensor output = Product(Pixels(input));
    if (activation_ == Activation::kHardswish) at::hardswish_(output);
    return output.view({input.size(0), input.size(2), input.size(3), output.size(1)}).permute({0, 3, 1, 2});
  }

  void AddTo(at::Tensor& sum, const at::Tensor& input) const override {
    if (bias_.defined()) {
      sum.add_(Run(input));
    } else {
      // A view, else the sum would be lost.
      sum.permute({0, 2, 3, 1}).view({-1, sum.size(1)}).addmm_(Pixels(input), weight_);
    }
  }

 private:
  at::Tensor Product(const at::Tensor& pixels) const {
    if (!bias_.defined()) return at::mm(pixels, weight_);
    if (activation_ == Activation::kRelu) return at::_addmm_activation(bias_, pixels, weight_);
    return at::addmm(bias_, pixels, weight_);
  }

  const Activation activation_;
  const at::Tensor weight_;  // [in, out]
  at::Tensor bias_;          // [out]; undefined: left out.
};

// By ATen's own kernel for filters that each read one channel: those of the stem and of depthwise convolutions.
class OneChannelConvolution final : public Convolution {
 public:
  OneChannelConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec,
                        const at::TensorOptions& options)
      : activation_(spec.activation),
        kernel_({weights.kernel, weights.kernel}),
        stride_({spec.stride, spec.stride}),
        padding_({weights.kernel / 2, weights.kernel / 2}),
        groups_(spec.depthwise ? weights.out_channels : 1),
        weight_(MakeKernel(weights, options).contiguous()),
        bias_(CopyToTensor(weights.bias, {weights.out_channels}, options)) {
    TORCH_CHECK(!spec.leave_out_bias, "the kernel adds its bias");
  }

  at::Tensor Run(const at::Tensor& input) const override {
    const at::Tensor output = Convolve(input.contiguous());
    at::Tensor channels_last = at::empty_like(output, {}, at::MemoryFormat::ChannelsLast);
    Activate(activation_, output, channels_last);
    return channels_last;
  }

  void AddTo(at::Tensor& sum, const at::Tensor& input) const override { sum.add_(Run(input)); }

 private:
  at::Tensor Convolve(const at::Tensor& input) const {
    const std::array<int64_t, 2> dilation = {1, 1};
    // By its name: at::conv2d would choose cuDNN for half, and for weights whose layout reads as channels last, too.
    if (input.is_cuda()) return at::_conv_depthwise2d(input, weight_, kernel_, bias_, stride_, padding_, dilation);
    return at::convolution(input, weight_, bias_, stride_, padding_, dilation, /*transposed=*/false, {0, 0}, groups_);
  }

  const Activation activation_;
  const std::array<int64_t, 2> kernel_;
  const std::array<int64_t, 2> stride_;
  const std::array<int64_t, 2> padding_;
  const int64_t groups_;
  const at::Tensor weight_;  // [out, 1, time, mels]
  const at::Tensor bias_;    // [out]
};

// By what at::conv2d chooses for channels last: cuDNN on CUDA.
class AtenConvolution final : public Convolution {
 public:
  AtenConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec, const at::TensorOptions& options)
      : spec_(spec),
        padding_(weights.kernel / 2),
        groups_(spec.depthwise ? weights.out_channels : 1),
        weight_(MakeKernel(weights, options)) {
    const at::Tensor bias = CopyToTensor(weights.bias, {weights.out_channels}, options);
    if (!spec.leave_out_bias) {
      bias_ = bias;
    } else if (spec.activation == Activation::kRelu) {
      floor_ = bias.neg().view({1, -1, 1, 1});
    }
  }

  at::Tensor Run(const at::Tensor& input) const override {
    at::Tensor output = at::conv2d(input, weight_, bias_, spec_.stride, padding_, /*dilation=*/1, groups_);
    if (floor_.defined()) {
      at::clamp_min_out(output, output, floor_);
    } else {
      Activate(spec_.activation, output, output);
    }
    return output;
  }

  void AddTo(at::Tensor& sum, const at::Tensor& input) const override { sum.add_(Run(input)); }

 private:
  const ConvolutionSpec spec_;
  const int64_t padding_;
  const int64_t groups_;
  const at::Tensor weight_;  // [out, in, time, mels]
  at::Tensor bias_;          // [out]; undefined: left out.
  at::Tensor floor_;         // [1, out, 1, 1]; undefined: the activation is no ReLU that leaves its bias out.
};

}  // namespace

std::unique_ptr<Convolution> MakeAtenConvolution(const CudaTuning& tuning, const ConvolutionWeights& weights,
                                                 const ConvolutionSpec& spec, const at::TensorOptions& options) {
  TORCH_CHECK(!spec.leave_out_bias || spec.activation != Activation::kHardswish, "hardswish needs its bias");
  const bool pointwise = weights.kernel == 1 && spec.stride == 1 && !spec.depthwise;
  // A product's ReLU needs the bias.
  const bool product = pointwise && !(spec.leave_out_bias && spec.activation != Activation::kNone);
  if (tuning.pointwise_products && product) return std::make_unique<PointwiseProduct>(weights, spec, options);
  if (!tuning.cudnn && weights.in_channels == 1) return std::make_unique<OneChannelConvolution>(weights, spec, options);
  return std::make_unique<AtenConvolution>(weights, spec, options);
}

}  // namespace hearwire
