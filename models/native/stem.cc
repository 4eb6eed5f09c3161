// The first convolution: one channel in, so every input value meets a vector of output channels.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/native/stem.cc"
#include "hwy/foreach_target.h"  // Includes this file once per instruction set.
#include "hwy/highway.h"
// After highway.h.
#include "models/native/activation-inl.h"
#include "models/native/kernel_choice.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// kCols output columns of one vector of channels. in: the kernel's first value.
template <size_t kCols>
HWY_INLINE void Block(const V (&weight)[9], V bias, const float* HWY_RESTRICT in, size_t in_stride,
                      float* HWY_RESTRICT out, size_t out_stride) {
  const D d;
  V sum[kCols];
  for (size_t c = 0; c < kCols; ++c) sum[c] = bias;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t k = 0; k < 3; ++k) {
      for (size_t c = 0; c < kCols; ++c) {
        sum[c] = hn::MulAdd(hn::Set(d, in[row * in_stride + 2 * c + k]), weight[3 * row + k], sum[c]);
      }
    }
  }
  for (size_t c = 0; c < kCols; ++c) hn::Store(Hardswish(d, sum[c]), d, out + c * out_stride);
}

void Stem(const StemWeights& weights, const StemCall& call) {
  const D d;
  constexpr size_t kCols = 8;
  const auto out_cols = static_cast<size_t>(call.out_cols);
  for (size_t channel = 0; channel < weights.out_stride; channel += hn::Lanes(d)) {
    V weight[9];
    for (size_t k = 0; k < 9; ++k) weight[k] = hn::Load(d, weights.weight.data() + k * weights.out_stride + channel);
    const V bias = hn::Load(d, weights.bias.data() + channel);
    float* out = call.out + channel;
    for (int row = 0; row < call.out_rows; ++row) {
      const float* in = call.in + static_cast<size_t>(2 * row) * call.in_stride;
      size_t col = 0;
      for (; col + kCols <= out_cols; col += kCols, in += 2 * kCols, out += kCols * weights.out_stride) {
        Block<kCols>(weight, bias, in, call.in_stride, out, weights.out_stride);
      }
      for (; col < out_cols; ++col, in += 2, out += weights.out_stride) {
        Block<1>(weight, bias, in, call.in_stride, out, weights.out_stride);
      }
    }
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(Stem);

}  // namespace

void AddStemKernels(KernelChoice choice, Kernels& kernels) { kernels.stem = HEARWIRE_CHOOSE_KERNEL(choice, Stem); }

}  // namespace hearwire
#endif  // HWY_ONCE
