// Activations of vectors. Compiled once per instruction set by the files that include it.

#if defined(HEARWIRE_MODELS_NATIVE_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEARWIRE_MODELS_NATIVE_ACTIVATION_INL_H_
#undef HEARWIRE_MODELS_NATIVE_ACTIVATION_INL_H_
#else
#define HEARWIRE_MODELS_NATIVE_ACTIVATION_INL_H_
#endif

#include "hwy/highway.h"
#include "models/native/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Hardswish(D d, V x) {
  const V ramp = hn::Min(hn::Max(hn::Add(x, hn::Set(d, 3.0f)), hn::Zero(d)), hn::Set(d, 6.0f));
  return hn::Mul(hn::Mul(x, ramp), hn::Set(d, 1.0f / 6));
}

template <Activation kActivation, class D, class V = hn::Vec<D>>
HWY_INLINE V Activate(D d, V x) {
  if constexpr (kActivation == Activation::kRelu) return hn::Max(x, hn::Zero(d));
  if constexpr (kActivation == Activation::kHardswish) return Hardswish(d, x);
  return x;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#endif  // HEARWIRE_MODELS_NATIVE_ACTIVATION_INL_H_
