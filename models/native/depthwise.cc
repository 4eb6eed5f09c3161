// Depthwise convolutions: several output columns at a time, their sums in registers, each input loaded once per row of
// the kernel. Only taps that meet the map are computed.

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/native/depthwise.cc"
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

// One output row of kVectors vectors of channels, from `channel` on.
struct RowJob {
  const float* in;      // The map's row 0 (which may lie before the buffer), at `channel`.
  const float* weight;  // At `channel`.
  const float* bias;
  float* out;        // The row, at `channel`.
  int first_in_row;  // Where the kernel's first row lies, perhaps outside the map.
  int in_rows;
  int in_cols;
  int out_cols;
  size_t channel_stride;
  Activation activation;
};

// kCols output columns, from the sums in `sum` to memory. Adds them to row_sum.
template <Activation kActivation, int kCols, int kVectors>
HWY_INLINE void StoreBlock(const V (&sum)[kCols][kVectors], float* HWY_RESTRICT out, size_t stride,
                           V (&row_sum)[kVectors]) {
  const D d;
  Unroll<kCols>([&](auto c) HEARWIRE_UNROLLED {
    Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
      const V y = Activate<kActivation>(d, sum[c][v]);
      row_sum[v] = hn::Add(row_sum[v], y);
      hn::Store(y, d, out + c * stride + v * hn::Lanes(d));
    });
  });
}

// Output columns [col, col + kCols). Adds them to row_sum.
template <int kKernel, int kStride, int kCols, int kVectors>
HWY_INLINE void Block(const RowJob& job, int col, V (&row_sum)[kVectors]) {
  const D d;
  const size_t n = hn::Lanes(d);
  const size_t stride = job.channel_stride;
  constexpr int kInCols = (kCols - 1) * kStride + kKernel;
  constexpr int kPadding = kKernel / 2;
  V sum[kCols][kVectors];
  Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
    const V bias = hn::Load(d, job.bias + v * n);
    Unroll<kCols>([&](auto c) HEARWIRE_UNROLLED { sum[c][v] = bias; });
  });
  const int first_in_col = col * kStride - kPadding;
  const int first_tap = std::max(0, -job.first_in_row);
  const int end_tap = std::min(kKernel, job.in_rows - job.first_in_row);
  for (int tap = first_tap; tap < end_tap; ++tap) {
    const float* HWY_RESTRICT weight = job.weight + static_cast<size_t>(tap * kKernel) * stride;
    V w[kKernel][kVectors];
    Unroll<kKernel>([&](auto k) HEARWIRE_UNROLLED {
      Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { w[k][v] = hn::Load(d, weight + k * stride + v * n); });
    });
    const float* next_in = job.in + (static_cast<ptrdiff_t>(job.first_in_row + tap) * job.in_cols + first_in_col) *
                                        static_cast<ptrdiff_t>(stride);
    Unroll<kInCols>([&](auto c) HEARWIRE_UNROLLED {
      const float* HWY_RESTRICT in = next_in;
      next_in += stride;
      KeepInRegister(next_in);
      // Only the outermost columns can lie outside the map.
      if constexpr (c < kPadding) {
        if (first_in_col + c < 0) return;
      } else if constexpr (c > kInCols - 1 - kPadding) {
        if (first_in_col + c >= job.in_cols) return;
      }
      V x[kVectors];
      Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { x[v] = hn::Load(d, in + v * n); });
      Unroll<kKernel>([&](auto k) HEARWIRE_UNROLLED {
        constexpr int kFrom = c - k;  // Where the kernel starts whose weight k meets this input.
        if constexpr (kFrom >= 0 && kFrom % kStride == 0 && kFrom / kStride < kCols) {
          Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
            V& target = sum[kFrom / kStride][v];
            target = hn::MulAdd(x[v], w[k][v], target);
          });
        }
      });
    });
  }
  float* const out = job.out + static_cast<size_t>(col) * stride;
  if (job.activation == Activation::kHardswish) {
    StoreBlock<Activation::kHardswish>(sum, out, stride, row_sum);
  } else {
    StoreBlock<Activation::kRelu>(sum, out, stride, row_sum);
  }
}

// As many blocks of kCols as fit into the columns from `col` on. Returns the first column behind them.
template <int kKernel, int kStride, int kCols, int kVectors>
HWY_INLINE int Blocks(const RowJob& job, int col, V (&row_sum)[kVectors]) {
  for (; col + kCols <= job.out_cols; col += kCols) Block<kKernel, kStride, kCols>(job, col, row_sum);
  return col;
}

// All rows of kVectors vectors of channels, from `channel` on. Eight sums hide the latency of the additions: eight
// columns of one vector, or four of two.
template <int kKernel, int kStride, int kVectors>
void RunChannels(const DepthwiseWeights& weights, const DepthwiseCall& call, size_t channel) {
  const D d;
  const size_t n = hn::Lanes(d);
  const ptrdiff_t stride = static_cast<ptrdiff_t>(weights.channel_stride);
  RowJob job{.in = call.in - static_cast<ptrdiff_t>(call.first_in_row) * call.in_cols * stride + channel,
             .weight = weights.weight.data() + channel,
             .bias = weights.bias.data() + channel,
             .out = call.out + channel,
             .first_in_row = 0,
             .in_rows = call.in_rows,
             .in_cols = call.in_cols,
             .out_cols = call.out_cols,
             .channel_stride = weights.channel_stride,
             .activation = call.activation};
  for (int row = call.first_out_row; row < call.end_out_row; ++row, job.out += call.out_cols * stride) {
    job.first_in_row = row * kStride - kKernel / 2;
    V row_sum[kVectors];
    for (int v = 0; v < kVectors; ++v) row_sum[v] = hn::Zero(d);
    int col = 0;
    if constexpr (kVectors == 1) col = Blocks<kKernel, kStride, 8>(job, col, row_sum);
    col = Blocks<kKernel, kStride, 4>(job, col, row_sum);
    Blocks<kKernel, kStride, 1>(job, col, row_sum);
    if (call.sums == nullptr) continue;
    for (int v = 0; v < kVectors; ++v) {
      float* const sums = call.sums + channel + v * n;
      hn::Store(hn::Add(hn::Load(d, sums), row_sum[v]), d, sums);
    }
  }
}

template <int kKernel, int kStride>
void RunKernel(const DepthwiseWeights& weights, const DepthwiseCall& call) {
  const size_t n = hn::Lanes(D());
  size_t channel = 0;
  if (call.out_cols < 8) {
    for (; channel + 2 * n <= weights.channel_stride; channel += 2 * n) {
      RunChannels<kKernel, kStride, 2>(weights, call, channel);
    }
  }
  for (; channel < weights.channel_stride; channel += n) RunChannels<kKernel, kStride, 1>(weights, call, channel);
}

void Depthwise(const DepthwiseWeights& weights, const DepthwiseCall& call) {
  if (weights.kernel == 3) {
    weights.stride == 1 ? RunKernel<3, 1>(weights, call) : RunKernel<3, 2>(weights, call);
  } else {
    weights.stride == 1 ? RunKernel<5, 1>(weights, call) : RunKernel<5, 2>(weights, call);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(Depthwise);

}  // namespace

void AddDepthwiseKernels(KernelChoice choice, Kernels& kernels) {
  kernels.depthwise = HEARWIRE_CHOOSE_KERNEL(choice, Depthwise);
}

}  // namespace hearwire
#endif  // HWY_ONCE
