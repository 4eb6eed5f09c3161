// Loops written out by the compiler, so that arrays of vectors live in registers. Compiled once per instruction set by
// the files that include it.

#if defined(HEARWIRE_MODELS_NATIVE_UNROLL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEARWIRE_MODELS_NATIVE_UNROLL_INL_H_
#undef HEARWIRE_MODELS_NATIVE_UNROLL_INL_H_
#else
#define HEARWIRE_MODELS_NATIVE_UNROLL_INL_H_
#endif

#include <type_traits>
#include <utility>

#include "hwy/highway.h"

// Behind the parameters of a lambda that Unroll calls.
#define HEARWIRE_UNROLLED HWY_ATTR __attribute__((always_inline))

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

template <class F, int... kIndices>
HWY_INLINE void UnrollEach(const F& f, std::integer_sequence<int, kIndices...>) {
  (f(std::integral_constant<int, kIndices>()), ...);
}

// f(0), f(1), … f(kCount - 1); each argument is a constant.
template <int kCount, class F>
HWY_INLINE void Unroll(const F& f) {
  UnrollEach(f, std::make_integer_sequence<int, kCount>());
}

// Keeps the compiler from computing tables of addresses beforehand, which cost more registers than there are. Not
// volatile: loads still fold into the multiplications that use them.
HWY_INLINE void KeepInRegister(const float*& p) { asm("" : "+r"(p)); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#endif  // HEARWIRE_MODELS_NATIVE_UNROLL_INL_H_
