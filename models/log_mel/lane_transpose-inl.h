// Between frames in memory and frames in vector lanes. Compiled once per instruction set by the file that includes it.

#if defined(HEARWIRE_MODELS_LOG_MEL_LANE_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEARWIRE_MODELS_LOG_MEL_LANE_TRANSPOSE_INL_H_
#undef HEARWIRE_MODELS_LOG_MEL_LANE_TRANSPOSE_INL_H_
#else
#define HEARWIRE_MODELS_LOG_MEL_LANE_TRANSPOSE_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

template <class D>
HWY_INLINE void LoadTransposed4(D d, const float* HWY_RESTRICT frames, size_t /*stride*/, hn::Vec<D> (&out)[4]) {
  for (size_t i = 0; i < 4; ++i) out[i] = hn::Load(d, frames + i);
}

template <class D>
HWY_INLINE void StoreTransposed(D /*d*/, const float* HWY_RESTRICT values, size_t mels, size_t /*count*/,
                                float* const* rows) {
  std::copy_n(values, mels, rows[0]);
}

#else

// The vector whose 128-bit block b is the four floats at p + b x block_stride.
template <class D>
HWY_INLINE hn::Vec<D> LoadBlocks(D d, const float* HWY_RESTRICT p, size_t block_stride) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    return hn::LoadU(d, p);
  } else {
    const hn::Half<D> half;
    const size_t blocks = hn::Lanes(half) / 4;
    return hn::Combine(d, LoadBlocks(half, p + blocks * block_stride, block_stride), LoadBlocks(half, p, block_stride));
  }
}

// Transposes the 4 x 4 matrix that the rows' blocks b make, for every b.
template <class D>
HWY_INLINE void TransposeBlocks(D d, hn::Vec<D> (&rows)[4]) {
  const hn::RepartitionToWide<D> wide;
  const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, rows[0], rows[1]));
  const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, rows[2], rows[3]));
  const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, rows[0], rows[1]));
  const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, rows[2], rows[3]));
  rows[0] = hn::BitCast(d, hn::InterleaveLower(wide, low01, low23));
  rows[1] = hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23));
  rows[2] = hn::BitCast(d, hn::InterleaveLower(wide, high01, high23));
  rows[3] = hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23));
}

// out[i]: value i of each lane's frame; lane l's begins at frames + l x stride.
template <class D>
HWY_INLINE void LoadTransposed4(D d, const float* HWY_RESTRICT frames, size_t stride, hn::Vec<D> (&out)[4]) {
  for (size_t i = 0; i < 4; ++i) out[i] = LoadBlocks(d, frames + i * stride, 4 * stride);
  TransposeBlocks(d, out);
}

// values[mels, lanes] to rows[i][mels], one for each of the first count lanes.
template <class D>
HWY_INLINE void StoreTransposed(D d, const float* HWY_RESTRICT values, size_t mels, size_t count, float* const* rows) {
  const size_t n = hn::Lanes(d);
  size_t mel = 0;
  for (; mel + 4 <= mels; mel += 4) {
    hn::Vec<D> columns[4];
    for (size_t i = 0; i < 4; ++i) columns[i] = hn::Load(d, values + (mel + i) * n);
    TransposeBlocks(d, columns);
    HWY_ALIGN float blocks[4][hn::MaxLanes(D())];
    for (size_t i = 0; i < 4; ++i) hn::Store(columns[i], d, blocks[i]);
    for (size_t lane = 0; lane < count; ++lane) std::copy_n(&blocks[lane % 4][lane / 4 * 4], 4, rows[lane] + mel);
  }
  for (; mel < mels; ++mel) {
    for (size_t lane = 0; lane < count; ++lane) rows[lane][mel] = values[mel * n + lane];
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#endif  // HEARWIRE_MODELS_LOG_MEL_LANE_TRANSPOSE_INL_H_
