// Spectra of real frames, one frame in each vector lane. Compiled once per instruction set by the file that includes
// it.
//
// A frame of 1024 real samples is taken as 512 complex ones (even samples real, odd imaginary). Three passes of radix-8
// butterflies, decimated in frequency and in place, transform them; the last step separates the two halves. Lanes never
// meet, so a frame's numbers do not depend on its lane or its neighbours.

#if defined(HEARWIRE_MODELS_LOG_MEL_LANE_FFT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEARWIRE_MODELS_LOG_MEL_LANE_FFT_INL_H_
#undef HEARWIRE_MODELS_LOG_MEL_LANE_FFT_INL_H_
#else
#define HEARWIRE_MODELS_LOG_MEL_LANE_FFT_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "models/log_mel/fft_tables.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// One complex number per lane. The constructors are written out, so that they are compiled for the instruction set as
// all functions here are: on Arm, vectors' own cannot be called otherwise.
template <class V>
struct Complex {
  HWY_INLINE Complex() {}
  HWY_INLINE Complex(V real, V imaginary) : re(real), im(imaginary) {}

  V re, im;
};

template <class V>
HWY_INLINE Complex<V> operator+(const Complex<V>& a, const Complex<V>& b) {
  return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)};
}
template <class V>
HWY_INLINE Complex<V> operator-(const Complex<V>& a, const Complex<V>& b) {
  return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)};
}

// a times a root of unity, the same for all lanes.
template <class D, class V>
HWY_INLINE Complex<V> Rotate(D d, const Complex<V>& a, const UnitRoot& root) {
  const V c = hn::Set(d, root.re);
  const V s = hn::Set(d, root.im);
  return {hn::NegMulAdd(a.im, s, hn::Mul(a.re, c)), hn::MulAdd(a.im, c, hn::Mul(a.re, s))};
}

// a times -i.
template <class V>
HWY_INLINE Complex<V> QuarterTurn(const Complex<V>& a) {
  return {a.im, hn::Neg(a.re)};
}

// The transform of 4, out[0] to out[3] in the order of frequency.
template <class V>
HWY_INLINE void Butterfly4(const Complex<V>& a, const Complex<V>& b, const Complex<V>& c, const Complex<V>& d,
                           Complex<V> (&out)[4]) {
  const Complex<V> ac = a + c, bd = b + d;
  const Complex<V> a_c = a - c, b_d = QuarterTurn(b - d);
  out[0] = ac + bd;
  out[1] = a_c + b_d;
  out[2] = ac - bd;
  out[3] = a_c - b_d;
}

// The transform of 8, in place and in the order of frequency.
template <class D, class V>
HWY_INLINE void Butterfly8(D d, Complex<V> (&x)[8]) {
  const V half_root = hn::Set(d, 0.70710678118654752f);
  const Complex<V> d1 = x[1] - x[5];
  const Complex<V> d3 = x[3] - x[7];
  const Complex<V> turned1{hn::Mul(half_root, hn::Add(d1.re, d1.im)), hn::Mul(half_root, hn::Sub(d1.im, d1.re))};
  const Complex<V> turned3{hn::Mul(half_root, hn::Sub(d3.im, d3.re)),
                           hn::Neg(hn::Mul(half_root, hn::Add(d3.re, d3.im)))};
  Complex<V> even[4], odd[4];
  Butterfly4<V>(x[0] + x[4], x[1] + x[5], x[2] + x[6], x[3] + x[7], even);
  Butterfly4<V>(x[0] - x[4], turned1, QuarterTurn(x[2] - x[6]), turned3, odd);
  for (int i = 0; i < 4; ++i) {
    x[2 * i] = even[i];
    x[2 * i + 1] = odd[i];
  }
}

template <class D>
HWY_INLINE Complex<hn::Vec<D>> LoadComplex(D d, const float* HWY_RESTRICT buffer, size_t index) {
  const size_t n = hn::Lanes(d);
  return {hn::Load(d, buffer + 2 * index * n), hn::Load(d, buffer + (2 * index + 1) * n)};
}

template <class D>
HWY_INLINE void StoreComplex(D d, const Complex<hn::Vec<D>>& x, float* HWY_RESTRICT buffer, size_t index) {
  const size_t n = hn::Lanes(d);
  hn::Store(x.re, d, buffer + 2 * index * n);
  hn::Store(x.im, d, buffer + (2 * index + 1) * n);
}

// Butterfly number k of a transform of 8 x stride points at buffer[base]: its outputs, rotated for the passes to come.
template <class D>
HWY_INLINE void StoreRotated(D d, const Complex<hn::Vec<D>> (&x)[8], const UnitRoot* HWY_RESTRICT roots,
                             float* HWY_RESTRICT buffer, size_t base, size_t stride) {
  StoreComplex(d, x[0], buffer, base);
  for (size_t m = 1; m < 8; ++m) StoreComplex(d, Rotate(d, x[m], roots[m]), buffer, base + m * stride);
}

// The two passes behind the first (which its caller fuses with reading the frames): buffer holds 512 complex vectors.
template <class D>
HWY_INLINE void FinishTransform(D d, const FftTables& tables, float* HWY_RESTRICT buffer) {
  using C = Complex<hn::Vec<D>>;
  for (size_t block = 0; block < 512; block += 64) {
    for (size_t k = 0; k < 8; ++k) {
      C x[8];
      for (size_t j = 0; j < 8; ++j) x[j] = LoadComplex(d, buffer, block + k + 8 * j);
      Butterfly8(d, x);
      StoreRotated(d, x, tables.second_pass[k], buffer, block + k, 8);
    }
    for (size_t k = 0; k < 64; k += 8) {
      C x[8];
      for (size_t j = 0; j < 8; ++j) x[j] = LoadComplex(d, buffer, block + k + j);
      Butterfly8(d, x);
      for (size_t j = 0; j < 8; ++j) StoreComplex(d, x[j], buffer, block + k + j);
    }
  }
}

// Where the passes leave frequency f of the 512: its octal digits reversed.
HWY_INLINE size_t TransformPlace(size_t f) { return (f % 8) * 64 + (f / 8 % 8) * 8 + f / 64; }

// Power of bins 1 to 511 of the real transform: power[bin x lanes]. The frames were scaled by 1/2 beforehand.
template <class D>
HWY_INLINE void SpectrumPower(D d, const FftTables& tables, const float* HWY_RESTRICT buffer,
                              float* HWY_RESTRICT power) {
  using V = hn::Vec<D>;
  const size_t n = hn::Lanes(d);
  for (size_t bin = 1; bin <= 256; ++bin) {
    const Complex<V> a = LoadComplex(d, buffer, TransformPlace(bin));
    const Complex<V> b = LoadComplex(d, buffer, TransformPlace(512 - bin));
    const Complex<V> even{hn::Add(a.re, b.re), hn::Sub(a.im, b.im)};
    const Complex<V> odd{hn::Add(a.im, b.im), hn::Sub(b.re, a.re)};
    const Complex<V> turned = Rotate(d, odd, tables.separation[bin]);
    const Complex<V> sum = even + turned;
    const Complex<V> difference = even - turned;
    hn::Store(hn::MulAdd(sum.re, sum.re, hn::Mul(sum.im, sum.im)), d, power + bin * n);
    hn::Store(hn::MulAdd(difference.re, difference.re, hn::Mul(difference.im, difference.im)), d,
              power + (512 - bin) * n);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#endif  // HEARWIRE_MODELS_LOG_MEL_LANE_FFT_INL_H_
