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

// One output row of kVectors vectors of channels, from `channel` on, in every window.
struct RowJob {
  int taps;             // Rows of the kernel that meet the map.
  const float* weight;  // The first of them, at `channel`,
  const float* in;      // and the input row that it meets.
  const float* bias;
  float* out;    // The row, at `channel`.
  float* means;  // Null: nobody asks.
  float mean_scale;
  int in_cols;
  int out_cols;
  int windows;
  size_t in_window;
  size_t out_window;
  size_t channel_stride;
  Activation activation;
};

// kCols output columns, from the sums in `sum` to memory. Adds them to the means.
template <Activation kActivation, int kCols, int kVectors>
HWY_INLINE void StoreBlock(const V (&sum)[kCols][kVectors], const RowJob& job, float* out, float* means) {
  const D d;
  const size_t n = hn::Lanes(d);
  V all[kVectors];
  Unroll<kCols>([&](auto c) HEARWIRE_UNROLLED {
    Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
      const V y = Activate<kActivation>(d, sum[c][v]);
      all[v] = c == 0 ? y : hn::Add(all[v], y);
      hn::Store(y, d, out + c * job.channel_stride + v * n);
    });
  });
  if (means == nullptr) return;
  const V scale = hn::Set(d, job.mean_scale);
  Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
    hn::Store(hn::MulAdd(all[v], scale, hn::Load(d, means + v * n)), d, means + v * n);
  });
}

// kCols output columns of one window. in: the first row that the kernel meets, at first_in_col, where the first of them
// begins to read; it may lie outside the map.
template <int kKernel, int kStride, int kCols, int kVectors>
HWY_INLINE void Block(const RowJob& job, int first_in_col, const float* in, float* out, float* means) {
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
  for (int tap = 0; tap < job.taps; ++tap, in += static_cast<size_t>(job.in_cols) * stride) {
    const float* HWY_RESTRICT weight = job.weight + static_cast<size_t>(tap * kKernel) * stride;
    V w[kKernel][kVectors];
    Unroll<kKernel>([&](auto k) HEARWIRE_UNROLLED {
      Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { w[k][v] = hn::Load(d, weight + k * stride + v * n); });
    });
    const float* next_in = in;
    Unroll<kInCols>([&](auto c) HEARWIRE_UNROLLED {
      const float* const at = next_in;
      next_in += stride;
      KeepInRegister(next_in);
      // Only the outermost columns can lie outside the map.
      if constexpr (c < kPadding) {
        if (first_in_col + c < 0) return;
      } else if constexpr (c > kInCols - 1 - kPadding) {
        if (first_in_col + c >= job.in_cols) return;
      }
      V x[kVectors];
      Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { x[v] = hn::Load(d, at + v * n); });
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
  if (job.activation == Activation::kHardswish) {
    StoreBlock<Activation::kHardswish>(sum, job, out, means);
  } else {
    StoreBlock<Activation::kRelu>(sum, job, out, means);
  }
}

// As many blocks of kCols as fit into the columns from `col` on. Returns the first column behind them.
template <int kKernel, int kStride, int kCols, int kVectors>
HWY_INLINE int Blocks(const RowJob& job, int col) {
  for (; col + kCols <= job.out_cols; col += kCols) {
    const int first_in_col = col * kStride - kKernel / 2;
    const float* in = job.in + first_in_col * static_cast<ptrdiff_t>(job.channel_stride);
    float* out = job.out + static_cast<size_t>(col) * job.channel_stride;
    float* means = job.means;
    for (int window = 0; window < job.windows; ++window, in += job.in_window, out += job.out_window) {
      Block<kKernel, kStride, kCols, kVectors>(job, first_in_col, in, out, means);
      if (means != nullptr) means += job.channel_stride;
    }
  }
  return col;
}

// All rows of kVectors vectors of channels, from `channel` on. Eight sums hide the latency of the additions: eight
// columns of one vector, or four of two.
template <int kKernel, int kStride, int kVectors>
void RunChannels(const DepthwiseWeights& weights, const DepthwiseCall& call, size_t channel) {
  const ptrdiff_t stride = static_cast<ptrdiff_t>(weights.channel_stride);
  RowJob job{.taps = 0,
             .weight = nullptr,
             .in = nullptr,
             .bias = weights.bias.data() + channel,
             .out = call.out + channel,
             .means = call.means == nullptr ? nullptr : call.means + channel,
             .mean_scale = call.mean_scale,
             .in_cols = call.in_cols,
             .out_cols = call.out_cols,
             .windows = call.windows,
             .in_window = call.in_window,
             .out_window = call.out_window,
             .channel_stride = weights.channel_stride,
             .activation = call.activation};
  for (int row = call.first_out_row; row < call.end_out_row; ++row, job.out += call.out_cols * stride) {
    const int first_in_row = row * kStride - kKernel / 2;  // Perhaps outside the map.
    const int first_tap = std::max(0, -first_in_row);
    job.taps = std::min(kKernel, call.in_rows - first_in_row) - first_tap;
    job.weight = weights.weight.data() + channel + static_cast<ptrdiff_t>(first_tap) * kKernel * stride;
    const ptrdiff_t place = first_in_row + first_tap - call.first_in_row;
    job.in = call.in + channel + place * call.in_cols * stride;
    int col = 0;
    if constexpr (kVectors == 1) col = Blocks<kKernel, kStride, 8, kVectors>(job, col);
    col = Blocks<kKernel, kStride, 4, kVectors>(job, col);
    Blocks<kKernel, kStride, 1, kVectors>(job, col);
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

void RunWindows(const DepthwiseWeights& weights, const DepthwiseCall& call) {
  if (weights.kernel == 3) {
    weights.stride == 1 ? RunKernel<3, 1>(weights, call) : RunKernel<3, 2>(weights, call);
  } else {
    weights.stride == 1 ? RunKernel<5, 1>(weights, call) : RunKernel<5, 2>(weights, call);
  }
}

void Depthwise(const DepthwiseWeights& weights, const DepthwiseCall& call) {
  // A single row is read once; of several, a window's stay in the first-level cache until the kernel has passed.
  if (call.in_rows == 1) return RunWindows(weights, call);
  DepthwiseCall one = call;
  one.windows = 1;
  for (int window = 0; window < call.windows; ++window) {
    RunWindows(weights, one);
    one.in += call.in_window;
    one.out += call.out_window;
    if (one.means != nullptr) one.means += weights.channel_stride;
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
