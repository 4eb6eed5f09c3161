// Products and reductions of rows of vectors, and the sigmoid.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/native/rows.cc"
#include "hwy/foreach_target.h"  // Includes this file once per instruction set.
#include "hwy/highway.h"
// After highway.h.
#include "hwy/contrib/math/math-inl.h"
#include "models/native/kernel_choice.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

void Sigmoid(float* x, size_t n) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  const V limit = hn::Set(d, 87.0f);  // Within Exp's range; the sigmoid beyond is 0 or 1 to single precision.
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const V negative = hn::Min(hn::Max(hn::Neg(hn::Load(d, x + i)), hn::Neg(limit)), limit);
    hn::Store(hn::Div(one, hn::Add(one, hn::Exp(d, negative))), d, x + i);
  }
}

void MultiplyRows(float* HWY_RESTRICT x, size_t count, size_t n, const float* HWY_RESTRICT factors) {
  const D d;
  for (size_t row = 0; row < count; ++row, x += n) {
    for (size_t i = 0; i < n; i += hn::Lanes(d)) {
      hn::Store(hn::Mul(hn::Load(d, x + i), hn::Load(d, factors + i)), d, x + i);
    }
  }
}

// Sums of a few rows are added to the total, so that the error grows with the square root of the count's square root.
HWY_INLINE void SumRows(const float* HWY_RESTRICT x, size_t count, size_t n, float* HWY_RESTRICT sums) {
  constexpr size_t kRowsAtOnce = 32;
  const D d;
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    V total = hn::Zero(d);
    for (size_t row = 0; row < count;) {
      V sum = hn::Zero(d);
      const size_t end = HWY_MIN(count, row + kRowsAtOnce);
      for (; row < end; ++row) sum = hn::Add(sum, hn::Load(d, x + row * n + i));
      total = hn::Add(total, sum);
    }
    hn::Store(total, d, sums + i);
  }
}

HWY_INLINE void MaxRows(const float* HWY_RESTRICT x, size_t count, size_t n, float* HWY_RESTRICT maxima) {
  const D d;
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    V maximum = hn::Load(d, x + i);
    for (size_t row = 1; row < count; ++row) maximum = hn::Max(maximum, hn::Load(d, x + row * n + i));
    hn::Store(maximum, d, maxima + i);
  }
}

void ReduceRows(const float* x, size_t count, size_t n, float* sums, float* maxima) {
  if (sums != nullptr) SumRows(x, count, n, sums);
  if (maxima != nullptr) MaxRows(x, count, n, maxima);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(Sigmoid);
HWY_EXPORT(MultiplyRows);
HWY_EXPORT(ReduceRows);

}  // namespace

void AddRowKernels(KernelChoice choice, Kernels& kernels) {
  kernels.sigmoid = HEARWIRE_CHOOSE_KERNEL(choice, Sigmoid);
  kernels.multiply_rows = HEARWIRE_CHOOSE_KERNEL(choice, MultiplyRows);
  kernels.reduce_rows = HEARWIRE_CHOOSE_KERNEL(choice, ReduceRows);
}

}  // namespace hearwire
#endif  // HWY_ONCE
