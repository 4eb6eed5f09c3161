#include "models/log_mel/pre_emphasis.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/log_mel/pre_emphasis.cc"
#include "hwy/foreach_target.h"  // Includes this file once per instruction set.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

// samples[lanes + 1]
HWY_INLINE hn::Vec<D> PreEmphasised(const float* HWY_RESTRICT samples) {
  const D d;
  return hn::Sub(hn::LoadU(d, samples + 1), hn::Mul(hn::Set(d, kPreEmphasis), hn::LoadU(d, samples)));
}

void Forwards(const float* HWY_RESTRICT samples, size_t count, float* HWY_RESTRICT out) {
  const D d;
  const size_t n = hn::Lanes(d);
  size_t i = 0;
  for (; i + n <= count; i += n) hn::StoreU(PreEmphasised(samples + i), d, out + i);
  for (; i < count; ++i) out[i] = PreEmphasise(samples[i], samples[i + 1]);
}

void Backwards(const float* HWY_RESTRICT samples, size_t count, float* HWY_RESTRICT out) {
  const D d;
  const size_t n = hn::Lanes(d);
  size_t i = 0;
  for (; i + n <= count; i += n) hn::StoreU(hn::Reverse(d, PreEmphasised(samples + i)), d, out + count - n - i);
  for (; i < count; ++i) out[count - 1 - i] = PreEmphasise(samples[i], samples[i + 1]);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(Forwards);
HWY_EXPORT(Backwards);

}  // namespace

float PreEmphasise(float sample, float next) { return next - kPreEmphasis * sample; }

void PreEmphasise(const float* samples, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(Forwards)(samples, count, out);
}

void PreEmphasiseBackwards(const float* samples, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(Backwards)(samples, count, out);
}

}  // namespace hearwire
#endif  // HWY_ONCE
