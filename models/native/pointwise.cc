// 1 x 1 convolutions and linear layers: a matrix product whose tiles of the output stay in registers.

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/native/pointwise.cc"
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

// Rows of the largest tile, by the panel's vectors: accumulators, weights and one input fill the registers.
#if (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3) || HWY_TARGET == HWY_NEON  // Better targets have smaller numbers.
constexpr int kMaxPanelVectors = 3;
constexpr int kTileRows[] = {0, 14, 12, 8};
#else
constexpr int kMaxPanelVectors = 2;
constexpr int kTileRows[] = {0, 12, 6, 4};
#endif

// What stays the same for the tiles of a panel.
struct Panel {
  size_t in_channels;
  size_t in_stride;
  size_t out_stride;
  const float* weight;  // [in_channels, vectors x lanes]
  const float* bias;    // [vectors x lanes]
  Activation activation;
};

// kRows rows of the panel, from the sums in `sum` to memory.
template <Activation kActivation, int kRows, int kVectors>
HWY_INLINE void StoreTile(const V (&sum)[kRows][kVectors], const float* residual, float* out, size_t out_stride) {
  const D d;
  const size_t n = hn::Lanes(d);
  Unroll<kRows>([&](auto r) HEARWIRE_UNROLLED {
    Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
      const size_t place = r * out_stride + v * n;
      V y = Activate<kActivation>(d, sum[r][v]);
      if (residual != nullptr) y = hn::Add(y, hn::Load(d, residual + place));
      hn::Store(y, d, out + place);
    });
  });
}

template <int kRows, int kVectors>
HWY_INLINE void Tile(const Panel& panel, const float* HWY_RESTRICT in, const float* residual, float* out) {
  const D d;
  const size_t n = hn::Lanes(d);
  V sum[kRows][kVectors];
  Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
    const V bias = hn::Load(d, panel.bias + v * n);
    Unroll<kRows>([&](auto r) HEARWIRE_UNROLLED { sum[r][v] = bias; });
  });
  const float* HWY_RESTRICT weight = panel.weight;
  const size_t in_stride = panel.in_stride;
  for (const float* const end = in + panel.in_channels; in != end; ++in, weight += kVectors * n) {
    V w[kVectors];
    Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { w[v] = hn::Load(d, weight + v * n); });
    const float* next = in;
    Unroll<kRows>([&](auto r) HEARWIRE_UNROLLED {
      const V x = hn::Set(d, *next);
      next += in_stride;
      if constexpr (kRows > 8) KeepInRegister(next);
      Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { sum[r][v] = hn::MulAdd(x, w[v], sum[r][v]); });
    });
  }
  switch (panel.activation) {
    case Activation::kNone:
      return StoreTile<Activation::kNone>(sum, residual, out, panel.out_stride);
    case Activation::kRelu:
      return StoreTile<Activation::kRelu>(sum, residual, out, panel.out_stride);
    case Activation::kHardswish:
      return StoreTile<Activation::kHardswish>(sum, residual, out, panel.out_stride);
  }
}

// As many tiles of kRows as fit into the rows from `row` on. Returns the first row behind them.
template <int kRows, int kVectors>
HWY_INLINE size_t Tiles(const Panel& panel, const PointwiseCall& call, size_t column, size_t row, size_t end) {
  for (; row + kRows <= end; row += kRows) {
    const size_t place = row * panel.out_stride + column;
    Tile<kRows, kVectors>(panel, call.in + row * panel.in_stride, call.residual ? call.residual + place : nullptr,
                          call.out + place);
  }
  return row;
}

template <int kVectors>
void RunPanel(const Panel& panel, const PointwiseCall& call, size_t column, size_t row, size_t end) {
  row = Tiles<kTileRows[kVectors], kVectors>(panel, call, column, row, end);
  row = Tiles<4, kVectors>(panel, call, column, row, end);
  row = Tiles<2, kVectors>(panel, call, column, row, end);
  Tiles<1, kVectors>(panel, call, column, row, end);
}

void Pointwise(const PointwiseWeights& weights, const PointwiseCall& call) {
  // Rows at a time: their inputs stay in the second-level cache while all panels pass over them.
  constexpr size_t kBlockBytes = size_t{192} * 1024;
  constexpr size_t kMinRows = 96;
  const size_t block = std::max(kMinRows, kBlockBytes / (weights.in_stride * sizeof(float)) / 24 * 24);
  const size_t n = hn::Lanes(D());
  for (size_t row = 0; row < call.rows; row += block) {
    const size_t end = std::min(call.rows, row + block);
    const float* weight = call.weight ? call.weight : weights.weight.data();
    size_t column = 0;
    for (const int vectors : weights.panels) {
      const Panel panel{.in_channels = weights.in_channels,
                        .in_stride = weights.in_stride,
                        .out_stride = weights.out_stride,
                        .weight = weight,
                        .bias = weights.bias.data() + column,
                        .activation = call.activation};
      switch (vectors) {
        case 1:
          RunPanel<1>(panel, call, column, row, end);
          break;
        case 2:
          RunPanel<2>(panel, call, column, row, end);
          break;
        default:
          RunPanel<3>(panel, call, column, row, end);
          break;
      }
      column += static_cast<size_t>(vectors) * n;
      weight += weights.in_channels * static_cast<size_t>(vectors) * n;
    }
  }
}

void ScaleWeights(const PointwiseWeights& weights, const float* HWY_RESTRICT factors, float* HWY_RESTRICT out) {
  const D d;
  const size_t n = hn::Lanes(d);
  const float* HWY_RESTRICT in = weights.weight.data();
  for (const int vectors : weights.panels) {
    for (size_t k = 0; k < weights.in_channels; ++k) {
      const V factor = hn::Set(d, factors[k]);
      for (int v = 0; v < vectors; ++v, in += n, out += n) hn::Store(hn::Mul(hn::Load(d, in), factor), d, out);
    }
  }
}

int MaxPanelVectors() { return kMaxPanelVectors; }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(Pointwise);
HWY_EXPORT(ScaleWeights);
HWY_EXPORT(MaxPanelVectors);

}  // namespace

void AddPointwiseKernels(KernelChoice choice, Kernels& kernels) {
  kernels.pointwise = HEARWIRE_CHOOSE_KERNEL(choice, Pointwise);
  kernels.scale_weights = HEARWIRE_CHOOSE_KERNEL(choice, ScaleWeights);
  kernels.max_panel_vectors = HEARWIRE_CHOOSE_KERNEL(choice, MaxPanelVectors)();
}

}  // namespace hearwire
#endif  // HWY_ONCE
