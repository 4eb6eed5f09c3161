#include "models/torch/one_dnn_convolution.h"

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <array>
#include <optional>
#include <string_view>

#include "models/torch/convolution_tensors.h"

namespace hearwire {
namespace {

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
        bias_(CopyToTensor(weights.bias, {weights.out_channels}, options)),
        weight_(MakeKernel(weights, options)),
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

std::unique_ptr<Convolution> MakeOneDnnConvolution(const ConvolutionWeights& weights, const ConvolutionSpec& spec,
                                                   const at::TensorOptions& options) {
  return std::make_unique<OneDnnConvolution>(weights, spec, options);
}

}  // namespace hearwire
