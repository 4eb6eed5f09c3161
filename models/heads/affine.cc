// The one loop of heads that costs time: compiled for each instruction set, the best of which is chosen at run time.

#include "models/heads/affine.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/heads/affine.cc"
#include "hwy/foreach_target.h"  // Includes this file once per instruction set.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<double>;
using Floats = hn::Rebind<float, D>;
using V = hn::Vec<D>;

// kRows rows of W by kCount inputs at once: what is loaded of one serves all of the other, and the sums do not wait for
// each other. A sum adds up in the same order whatever the block, so that an input has the same result in any company.
template <size_t kRows, size_t kCount>
HWY_INLINE void ComputeBlock(const float* HWY_RESTRICT weight, const float* HWY_RESTRICT bias, size_t n,
                             const double* HWY_RESTRICT x, double* HWY_RESTRICT y, size_t y_stride) {
  const D d;
  const Floats floats;
  const size_t lanes = hn::Lanes(d);
  V sums[kRows][kCount];
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t k = 0; k < kCount; ++k) sums[row][k] = hn::Zero(d);
  }
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    V weights[kRows];
#pragma GCC unroll 4
    for (size_t row = 0; row < kRows; ++row) weights[row] = hn::PromoteTo(d, hn::LoadU(floats, weight + row * n + i));
#pragma GCC unroll 4
    for (size_t k = 0; k < kCount; ++k) {
      const V value = hn::LoadU(d, x + k * n + i);
#pragma GCC unroll 4
      for (size_t row = 0; row < kRows; ++row) sums[row][k] = hn::MulAdd(weights[row], value, sums[row][k]);
    }
  }
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t k = 0; k < kCount; ++k) {
      double sum = hn::GetLane(hn::SumOfLanes(d, sums[row][k]));
      for (size_t rest = i; rest < n; ++rest) sum += static_cast<double>(weight[row * n + rest]) * x[k * n + rest];
      y[k * y_stride + row] = sum + static_cast<double>(bias[row]);
    }
  }
}

template <size_t kCount>
HWY_INLINE void ComputeRows(const float* weight, const float* bias, size_t rows, size_t n, const double* x, double* y) {
  // As many sums as registers hold on every instruction set, with what they are made of.
  constexpr size_t kRows = kCount == 4 ? 2 : 4;
  size_t row = 0;
  for (; row + kRows <= rows; row += kRows) {
    ComputeBlock<kRows, kCount>(weight + row * n, bias + row, n, x, y + row, rows);
  }
  for (; row < rows; ++row) ComputeBlock<1, kCount>(weight + row * n, bias + row, n, x, y + row, rows);
}

void Affine(const float* weight, const float* bias, size_t rows, size_t n, const double* x, size_t count, double* y) {
  for (; count >= 4; count -= 4, x += 4 * n, y += 4 * rows) ComputeRows<4>(weight, bias, rows, n, x, y);
  for (; count > 0; --count, x += n, y += rows) ComputeRows<1>(weight, bias, rows, n, x, y);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(Affine);

}  // namespace

void ComputeAffine(const LinearWeights& layer, const double* x, size_t count, double* y) {
  HWY_DYNAMIC_DISPATCH(Affine)
  (layer.weight.data(), layer.bias.data(), static_cast<size_t>(layer.out_channels),
   static_cast<size_t>(layer.in_channels), x, count, y);
}

}  // namespace hearwire
#endif  // HWY_ONCE
