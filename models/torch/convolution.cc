#include "models/torch/convolution.h"

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/relu.h>

#include <array>
#include <optional>
#include <string_view>

namespace hearwire {
namespace {

at::Tensor Copy(const std::vector<float>& values, at::IntArrayRef shape, const at::TensorOptions& options) {
  // from_blob takes no const; the copy leaves the weights alone.
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).to(options, false, /*copy=*/true);
}

// [out, in, mels, time] to [out, in, time, mels].
at::Tensor KernelWeights(const ConvolutionWeights& weights, const at::TensorOptions& options) {
  return Copy(weights.weight, {weights.out_channels, weights.in_channels, weights.kernel, weights.kernel}, options)
      .transpose(2, 3)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

class AtenConvolution final : public Convolution {
 public:
  AtenConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec, const at::TensorOptions& options)
      : spec_(spec),
        padding_(weights.kernel / 2),
        groups_(spec.depthwise ? weights.out_channels : 1),
        weight_(KernelWeights(weights, options)),
        bias_(Copy(weights.bias, {weights.out_channels}, options)) {}

  at::Tensor Run(const at::Tensor& input) const override {
    at::Tensor output = at::conv2d(input, weight_, bias_, spec_.stride, padding_, /*dilation=*/1, groups_);
    if (spec_.activation == Activation::kRelu) at::relu_(output);
    if (spec_.activation == Activation::kHardswish) at::hardswish_(output);
    return output;
  }

  void AddTo(at::Tensor& sum, const at::Tensor& input) const override { sum.add_(Run(input)); }

 private:
  const ConvolutionSpec spec_;
  const int64_t padding_;
  const int64_t groups_;
  const at::Tensor weight_;
  const at::Tensor bias_;
};

// The operators have no C++ declaration: they are found by their schema. Names and meanings of the arguments are those
// of the schema.
using ScalarList = c10::List<std::optional<at::Scalar>>;
using ConvolutionOp = at::Tensor(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, at::IntArrayRef padding, at::IntArrayRef stride,
                                 at::IntArrayRef dilation, int64_t groups, std::string_view activation,
                                 ScalarList scalars, std::optional<std::string_view> algorithm);
using ConvolutionSumOp = at::Tensor&(at::Tensor& sum, const at::Tensor& input, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias, at::IntArrayRef padding,
                                     at::IntArrayRef stride, at::IntArrayRef dilation, int64_t groups,
                                     std::string_view binary, std::optional<at::Scalar> alpha,
                                     std::optional<std::string_view> activation, ScalarList scalars,
                                     std::optional<std::string_view> algorithm);
using PackOp = at::Tensor(const at::Tensor& weight, at::IntArrayRef padding, at::IntArrayRef stride,
                          at::IntArrayRef dilation, int64_t groups, at::OptionalIntArrayRef input_size);

template <typename Signature>
c10::TypedOperatorHandle<Signature> FindOp(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

const char* NameOf(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return "none";
    case Activation::kRelu:
      return "relu";
    case Activation::kHardswish:
      return "hardswish";
  }
  return "none";
}

// How many windows a chunk of 160 ms windows has, for choosing the packing; the choice hardly depends on it.
constexpr int kTypicalWindows = 32;

// Maps that are longer than the typical one by more than this factor (from 200 frames on) want other packings, which
// one depending on their length. Turning one packing into another costs more than the convolution; packing from plain
// weights in every run costs little beside a long map.
constexpr int kMaxPackedLength = 12;

class OneDnnConvolution final : public Convolution {
 public:
  OneDnnConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec, const at::TensorOptions& options)
      : stride_{spec.stride, spec.stride},
        padding_{weights.kernel / 2, weights.kernel / 2},
        groups_(spec.depthwise ? weights.out_channels : 1),
        activation_(NameOf(spec.activation)),
        max_packed_time_(int64_t{kMaxPackedLength} * spec.typical_time),
        bias_(Copy(weights.bias, {weights.out_channels}, options)),
        weight_(KernelWeights(weights, options)),
        convolution_(FindOp<ConvolutionOp>("mkldnn::_convolution_pointwise", "")),
        sum_(FindOp<ConvolutionSumOp>("mkldnn::_convolution_pointwise_", "binary")) {
    const int64_t in_channels = weights.in_channels * groups_;
    const std::array<int64_t, 4> typical = {kTypicalWindows, in_channels, spec.typical_time, spec.typical_mels};
    packed_weight_ = FindOp<PackOp>("mkldnn::_reorder_convolution_weight", "")
                         .call(weight_, padding_, stride_, kDilation, groups_, at::OptionalIntArrayRef(typical));
  }

  at::Tensor Run(const at::Tensor& input) const override {
    return convolution_.call(input, WeightFor(input), bias_, padding_, stride_, kDilation, groups_, activation_,
                             ScalarList(), "");
  }

  void AddTo(at::Tensor& sum, const at::Tensor& input) const override {
    sum_.call(sum, input, WeightFor(input), bias_, padding_, stride_, kDilation, groups_, "add", at::Scalar(1.0),
              std::nullopt, ScalarList(), std::nullopt);
  }

 private:
  static constexpr std::array<int64_t, 2> kDilation = {1, 1};

  const at::Tensor& WeightFor(const at::Tensor& input) const {
    return input.size(2) <= max_packed_time_ ? packed_weight_ : weight_;
  }

  const std::array<int64_t, 2> stride_;
  const std::array<int64_t, 2> padding_;
  const int64_t groups_;
  const char* const activation_;
  const int64_t max_packed_time_;
  const at::Tensor bias_;
  const at::Tensor weight_;
  const c10::TypedOperatorHandle<ConvolutionOp> convolution_;
  const c10::TypedOperatorHandle<ConvolutionSumOp> sum_;
  at::Tensor packed_weight_;
};

}  // namespace

std::unique_ptr<Convolution> MakeConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec,
                                             const at::TensorOptions& options) {
  if (options.device().is_cpu()) return std::make_unique<OneDnnConvolution>(weights, spec, options);
  return std::make_unique<AtenConvolution>(weights, spec, options);
}

}  // namespace hearwire
