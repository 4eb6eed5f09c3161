#include "tests/models/torch/launch_counter.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <string_view>

namespace hearwire {
namespace {

thread_local LaunchCounter* active = nullptr;

// These view, allocate, or call others that are counted.
bool LaunchesNothing(std::string_view name) {
  static const std::set<std::string_view> names = {
      "aten::as_strided",   "aten::contiguous",     "aten::detach",    "aten::empty",
      "aten::empty_like",   "aten::empty_strided",  "aten::expand",    "aten::flatten",
      "aten::narrow",       "aten::permute",        "aten::reshape",   "aten::resize_",
      "aten::resolve_conj", "aten::select",         "aten::slice",     "aten::t",
      "aten::to",           "aten::_to_copy",       "aten::transpose", "aten::unsqueeze",
      "aten::view",         "aten::_reshape_alias", "aten::clone"};
  return names.contains(name);
}

bool LaunchesOne(std::string_view name) {
  static const std::set<std::string_view> names = {"aten::_addmm_activation",
                                                   "aten::add",
                                                   "aten::add_",
                                                   "aten::addmm",
                                                   "aten::addmm_",
                                                   "aten::amax",
                                                   "aten::arange",
                                                   "aten::cat",
                                                   "aten::clamp_min",
                                                   "aten::convolution",  // For ATen's own kernel, which adds the bias.
                                                   "aten::copy_",
                                                   "aten::div",
                                                   "aten::div_",
                                                   "aten::ge",
                                                   "aten::hardswish",
                                                   "aten::hardswish_",
                                                   "aten::index_select",
                                                   "aten::masked_fill_",
                                                   "aten::mean",
                                                   "aten::mm",
                                                   "aten::mul",
                                                   "aten::mul_",
                                                   "aten::reciprocal",
                                                   "aten::relu",
                                                   "aten::sigmoid",
                                                   "aten::sum"};
  return names.contains(name);
}

// conv2d(input, weight, bias, …): cuDNN's kernel, and one for the bias.
int ConvolutionLaunches(at::ArrayRef<const c10::IValue> inputs) {
  const bool has_bias = inputs[2].isTensor() && inputs[2].toTensor().defined();
  return has_bias ? 2 : 1;
}

}  // namespace

LaunchCounter::LaunchCounter()
    : handle_(at::addThreadLocalCallback(
          at::RecordFunctionCallback(OnStart, OnEnd).needsInputs(true).scopes({at::RecordScope::FUNCTION}))) {
  active = this;
}

LaunchCounter::~LaunchCounter() {
  at::removeCallback(handle_);
  active = nullptr;
}

std::unique_ptr<at::ObserverContext> LaunchCounter::OnStart(const at::RecordFunction& call) {
  active->Start(call);
  return nullptr;
}

void LaunchCounter::OnEnd(const at::RecordFunction& /*call*/, at::ObserverContext* /*context*/) {
  if (active->depth_ > 0) --active->depth_;
}

void LaunchCounter::Start(const at::RecordFunction& call) {
  const std::string_view name = call.name();
  if (depth_ > 0) {
    ++depth_;
  } else if (name == "aten::conv2d") {
    launches_ += ConvolutionLaunches(call.inputs());
    ++depth_;
  } else if (LaunchesOne(name)) {
    ++launches_;
    ++depth_;
  } else if (!LaunchesNothing(name)) {
    unknown_.emplace(name);
  }
}

}  // namespace hearwire
