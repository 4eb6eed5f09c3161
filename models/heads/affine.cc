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

// kRows rows of W at once: each value of x is loaded once for all of them, and their sums do not wait for each other.
template <size_t kRows>
HWY_INLINE void ComputeRows(const float* HWY_RESTRICT weight, size_t n, const double* HWY_RESTRICT x,
                            double* HWY_RESTRICT sums) {
  const D d;
  const Floats floats;
  const size_t lanes = hn::Lanes(d);
  const auto load = [&](size_t row, size_t i)
                        HWY_ATTR { return hn::PromoteTo(d, hn::LoadU(floats, weight + row * n + i)); };
  static_assert(kRows == 1 || kRows == 4);
  V sum0 = hn::Zero(d);
  V sum1 = hn::Zero(d);
  V sum2 = hn::Zero(d);
  V sum3 = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V value = hn::LoadU(d, x + i);
    sum0 = hn::MulAdd(load(0, i), value, sum0);
    if constexpr (kRows == 4) {
      sum1 = hn::MulAdd(load(1, i), value, sum1);
      sum2 = hn::MulAdd(load(2, i), value, sum2);
      sum3 = hn::MulAdd(load(3, i), value, sum3);
    }
  }
  const V all[] = {sum0, sum1, sum2, sum3};
  for (size_t row = 0; row < kRows; ++row) {
    double sum = hn::GetLane(hn::SumOfLanes(d, all[row]));
    for (size_t rest = i; rest < n; ++rest) sum += static_cast<double>(weight[row * n + rest]) * x[rest];
    sums[row] += sum;
  }
}

void Affine(const float* weight, const float* bias, size_t rows, size_t n, const double* x, double* y) {
  for (size_t row = 0; row < rows; ++row) y[row] = static_cast<double>(bias[row]);
  size_t row = 0;
  for (; row + 4 <= rows; row += 4) ComputeRows<4>(weight + row * n, n, x, y + row);
  for (; row < rows; ++row) ComputeRows<1>(weight + row * n, n, x, y + row);
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

void ComputeAffine(const LinearWeights& layer, const double* x, double* y) {
  HWY_DYNAMIC_DISPATCH(Affine)
  (layer.weight.data(), layer.bias.data(), static_cast<size_t>(layer.out_channels),
   static_cast<size_t>(layer.in_channels), x, y);
}

}  // namespace hearwire
#endif  // HWY_ONCE
