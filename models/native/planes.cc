// Convolutions of planes: the stem, and depthwise ones of 3 x 3.

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/native/planes.cc"
#include "hwy/foreach_target.h"  // Includes this file once per instruction set.
#include "hwy/highway.h"
// After highway.h.
#include "models/native/activation-inl.h"
#include "models/native/kernel_choice.h"
#include "models/native/unroll-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

void QuarterRow(const float* HWY_RESTRICT in, size_t mels, size_t half, float* HWY_RESTRICT out) {
  const D d;
  const size_t n = hn::Lanes(d);
  hn::Store(hn::Zero(d), d, out);
  float* HWY_RESTRICT const to = out + n;
  size_t i = 0;
  for (; 4 * (i + n) <= mels; i += n) {
    V x0, x1, x2, x3;
    hn::LoadInterleaved4(d, in + 4 * i, x0, x1, x2, x3);
    hn::Store(x3, d, to + i);
    hn::Store(x0, d, to + half + i);
    hn::Store(x1, d, to + 2 * half + i);
    hn::Store(x2, d, to + 3 * half + i);
  }
  for (size_t quarter = 0; quarter < 4; ++quarter) std::fill(to + quarter * half + i, to + (quarter + 1) * half, 0.0f);
  for (size_t mel = 4 * i; mel < mels; ++mel) to[(mel + 1) % 4 * half + mel / 4] = in[mel];
}

void Stem(const StemWeights& weights, const StemCall& call) {
  const D d;
  const size_t n = hn::Lanes(d);
  const size_t in_stride = n + 4 * call.half;
  float* out_row = call.out;
  for (int row = 0; row < call.out_rows; ++row, out_row += weights.channels * 2 * call.half) {
    for (size_t col = 0; col < call.half; col += n) {
      // Even output columns meet mels 4c - 1, 4c and 4c + 1, odd ones 4c + 1, 4c + 2 and 4c + 3.
      V x[3][5];
      Unroll<3>([&](auto time) HEARWIRE_UNROLLED {
        const float* in = call.in + (2 * static_cast<size_t>(row) + time) * in_stride + n + col;
        x[time][0] = hn::LoadU(d, in - 1);
        x[time][4] = hn::Load(d, in);
        x[time][1] = hn::Load(d, in + call.half);
        x[time][2] = hn::Load(d, in + 2 * call.half);
        x[time][3] = hn::Load(d, in + 3 * call.half);
      });
      const float* HWY_RESTRICT weight = weights.weight.data();
      float* HWY_RESTRICT out = out_row + col;
      for (size_t channel = 0; channel < weights.channels; ++channel, weight += 9, out += 2 * call.half) {
        V even = hn::Set(d, weights.bias.data()[channel]);
        V odd = even;
        Unroll<3>([&](auto time) HEARWIRE_UNROLLED {
          Unroll<3>([&](auto mel) HEARWIRE_UNROLLED {
            const V w = hn::Set(d, weight[3 * time + mel]);
            even = hn::MulAdd(x[time][mel], w, even);
            odd = hn::MulAdd(x[time][mel + 2], w, odd);
          });
        });
        hn::Store(Hardswish(d, even), d, out);
        hn::Store(Hardswish(d, odd), d, out + call.half);
      }
    }
  }
}

// Which lanes hold columns of the map.
struct ColumnMasks {
  hn::Mask<D> before;  // Columns 2c - 1,
  hn::Mask<D> odd;     // 2c + 1,
  hn::Mask<D> behind;  // and 2c + 2.
};

// Of a row, columns 2c - 1, 2c, 2c + 1 and 2c + 2; stride 2 has no use for the last.
template <int kStride>
constexpr int kColumns = kStride == 1 ? 4 : 3;

// Zeros outside the map. row: its even columns c.
template <int kCount>
HWY_INLINE void LoadColumns(const float* row, size_t half, const ColumnMasks& masks, V (&x)[kCount]) {
  const D d;
  x[0] = hn::IfThenElseZero(masks.before, hn::LoadU(d, row + half - 1));
  x[1] = hn::Load(d, row);
  x[2] = hn::IfThenElseZero(masks.odd, hn::Load(d, row + half));
  if constexpr (kCount == 4) x[3] = hn::IfThenElseZero(masks.behind, hn::LoadU(d, row + 1));
}

// A vector of even output columns, and with stride 1 one of odd ones, of one channel. The three input rows that the
// kernel meets stay in registers while it moves down.
template <int kStride, Activation kActivation>
HWY_INLINE void RunColumns(const PlanesDepthwiseCall& call, const ColumnMasks& masks, const float* in, size_t in_stride,
                           const float* HWY_RESTRICT weight, V bias, float* HWY_RESTRICT out, size_t out_stride) {
  const D d;
  V w[9];
  Unroll<9>([&](auto i) HEARWIRE_UNROLLED { w[i] = hn::Set(d, weight[i]); });
  const auto load = [&](int row, V(&x)[kColumns<kStride>]) HEARWIRE_UNROLLED {
    if (row >= 0 && row < call.in_rows) {
      LoadColumns(in + static_cast<size_t>(row - call.first_in_row) * in_stride, call.half, masks, x);
    } else {
      Unroll<kColumns<kStride>>([&](auto c) HEARWIRE_UNROLLED { x[c] = hn::Zero(d); });
    }
  };
  V x[3][kColumns<kStride>];
  int next = call.first_out_row * kStride - 1;
  load(next++, x[0]);
  if constexpr (kStride == 1) load(next++, x[1]);
  for (int row = call.first_out_row; row < call.end_out_row; ++row, out += out_stride) {
    if constexpr (kStride == 2) load(next++, x[1]);
    load(next++, x[2]);
    V even = bias;
    V odd = bias;
    Unroll<3>([&](auto time) HEARWIRE_UNROLLED {
      Unroll<3>([&](auto mel) HEARWIRE_UNROLLED {
        even = hn::MulAdd(x[time][mel], w[3 * time + mel], even);
        if constexpr (kStride == 1) odd = hn::MulAdd(x[time][mel + 1], w[3 * time + mel], odd);
      });
    });
    hn::Store(Activate<kActivation>(d, even), d, out);
    if constexpr (kStride == 1) hn::Store(Activate<kActivation>(d, odd), d, out + call.half);
    Unroll<kColumns<kStride>>([&](auto c) HEARWIRE_UNROLLED {
      x[0][c] = x[kStride][c];
      if constexpr (kStride == 1) x[1][c] = x[2][c];
    });
  }
}

template <int kStride, Activation kActivation>
void RunPlanes(const PlanesDepthwiseWeights& weights, const PlanesDepthwiseCall& call) {
  const D d;
  const size_t n = hn::Lanes(d);
  const size_t out_width = kStride == 1 ? 2 * call.half : call.half;
  const size_t even_cols = (static_cast<size_t>(call.in_cols) + 1) / 2;
  const size_t odd_cols = static_cast<size_t>(call.in_cols) / 2;
  for (size_t col = 0; col < call.half; col += n) {
    const ColumnMasks masks{.before = hn::Not(hn::FirstN(d, col == 0 ? 1 : 0)),
                            .odd = hn::FirstN(d, odd_cols - col),
                            .behind = hn::FirstN(d, even_cols - col - 1)};
    for (size_t channel = 0; channel < weights.channels; ++channel) {
      RunColumns<kStride, kActivation>(call, masks, call.in + channel * 2 * call.half + col,
                                       weights.channels * 2 * call.half, weights.weight.data() + 9 * channel,
                                       hn::Set(d, weights.bias.data()[channel]), call.out + channel * out_width + col,
                                       call.out_stride);
    }
  }
}

template <Activation kActivation>
void RunStride(const PlanesDepthwiseWeights& weights, const PlanesDepthwiseCall& call) {
  weights.stride == 1 ? RunPlanes<1, kActivation>(weights, call) : RunPlanes<2, kActivation>(weights, call);
}

void PlanesDepthwise(const PlanesDepthwiseWeights& weights, const PlanesDepthwiseCall& call) {
  call.activation == Activation::kRelu ? RunStride<Activation::kRelu>(weights, call)
                                       : RunStride<Activation::kHardswish>(weights, call);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(QuarterRow);
HWY_EXPORT(Stem);
HWY_EXPORT(PlanesDepthwise);

}  // namespace

void AddPlanesKernels(KernelChoice choice, Kernels& kernels) {
  kernels.quarter_row = HEARWIRE_CHOOSE_KERNEL(choice, QuarterRow);
  kernels.stem = HEARWIRE_CHOOSE_KERNEL(choice, Stem);
  kernels.planes_depthwise = HEARWIRE_CHOOSE_KERNEL(choice, PlanesDepthwise);
}

}  // namespace hearwire
#endif  // HWY_ONCE
