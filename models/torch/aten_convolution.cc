#include "models/torch/aten_convolution.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_addmm_activation.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/mm.h>

#include "models/torch/convolution_tensors.h"

namespace hearwire {
namespace {

// [windows, channels, time, mels], channels last in memory, as [windows x time x mels, channels]: no copy.
at::Tensor Pixels(const at::Tensor& map) { return map.permute({0, 2, 3, 1}).reshape({-1, map.size(1)}); }

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

class AtenConvolution final : public Convolution {
 public:
  AtenConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec, bool nchw,
                  const at::TensorOptions& options)
      : spec_(spec),
        nchw_(nchw),
        padding_(weights.kernel / 2),
        groups_(spec.depthwise ? weights.out_channels : 1),
        weight_(nchw ? MakeKernel(weights, options).contiguous() : MakeKernel(weights, options)) {
    const at::Tensor bias = CopyToTensor(weights.bias, {weights.out_channels}, options);
    if (!spec.leave_out_bias) {
      bias_ = bias;
    } else if (spec.activation == Activation::kRelu) {
      floor_ = bias.neg().view({1, -1, 1, 1});
    }
  }

  at::Tensor Run(const at::Tensor& input) const override {
    at::Tensor output = at::conv2d(nchw_ ? input.contiguous() : input, weight_, bias_, spec_.stride, padding_,
                                   /*dilation=*/1, groups_);
    if (!nchw_) {
      Activate(output, output);
      return output;
    }
    at::Tensor channels_last = at::empty_like(output, {}, at::MemoryFormat::ChannelsLast);
    Activate(output, channels_last);
    return channels_last;
  }

  void AddTo(at::Tensor& sum, const at::Tensor& input) const override { sum.add_(Run(input)); }

 private:
  void Activate(const at::Tensor& from, at::Tensor& to) const {
    switch (spec_.activation) {
      case Activation::kRelu:
        if (floor_.defined()) {
          at::clamp_min_out(to, from, floor_);
        } else {
          at::clamp_min_out(to, from, 0);  // at::relu_out copies.
        }
        return;
      case Activation::kHardswish:
        at::hardswish_out(to, from);
        return;
      case Activation::kNone:
        if (!to.is_same(from)) to.copy_(from);
    }
  }

  const ConvolutionSpec spec_;
  const bool nchw_;
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
  return std::make_unique<AtenConvolution>(weights, spec, tuning.nchw_depthwise && spec.depthwise, options);
}

}  // namespace hearwire
