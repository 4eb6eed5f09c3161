// 1 x 1 convolutions and linear layers: a matrix product whose tiles of the output stay in registers. Lanes run over
// output channels or, between planes, over columns: there the map is the panel, and the weights are the inputs.

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
  size_t in_stride;     // From an input row to the next,
  size_t in_step;       // and from a channel to the next.
  const float* weight;  // [in_channels, vectors x lanes], weight_step apart.
  size_t weight_step;
  Activation activation;
  size_t out_stride;
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

// What the panel's lanes run over.
enum class Lanes { kChannels, kColumns };

// in, residual, out: of the tile's first row. bias: [vectors x lanes] or, where lanes are columns, [rows].
template <Lanes kLanes, int kRows, int kVectors>
HWY_INLINE void Tile(const Panel& panel, const float* HWY_RESTRICT in, const float* HWY_RESTRICT bias,
                     const float* residual, float* out) {
  const D d;
  const size_t n = hn::Lanes(d);
  V sum[kRows][kVectors];
  Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
    Unroll<kRows>([&](auto r) HEARWIRE_UNROLLED {
      sum[r][v] = kLanes == Lanes::kColumns ? hn::Set(d, bias[r]) : hn::Load(d, bias + v * n);
    });
  });
  const float* HWY_RESTRICT weight = panel.weight;
  const size_t in_stride = panel.in_stride;
  // Planes have few channels, and a multiple of 4 of them.
  constexpr int kAtOnce = kLanes == Lanes::kColumns ? 4 : 1;
  for (size_t k = panel.in_channels; k != 0; k -= kAtOnce) {
    Unroll<kAtOnce>([&](auto) HEARWIRE_UNROLLED {
      V w[kVectors];
      Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { w[v] = hn::Load(d, weight + v * n); });
      const float* next = in;
      Unroll<kRows>([&](auto r) HEARWIRE_UNROLLED {
        const V x = hn::Set(d, *next);
        next += in_stride;
        if constexpr (kRows > 8) KeepInRegister(next);
        Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { sum[r][v] = hn::MulAdd(x, w[v], sum[r][v]); });
      });
      in += panel.in_step;
      weight += panel.weight_step;
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
HWY_INLINE size_t Tiles(const Panel& panel, const float* bias, const PointwiseCall& call, size_t column, size_t row,
                        size_t end) {
  for (; row + kRows <= end; row += kRows) {
    const size_t place = row * panel.out_stride + column;
    Tile<Lanes::kChannels, kRows, kVectors>(panel, call.in + row * panel.in_stride, bias,
                                            call.residual ? call.residual + place : nullptr, call.out + place);
  }
  return row;
}

template <int kVectors>
void RunPanel(const Panel& panel, const float* bias, const PointwiseCall& call, size_t column, size_t row, size_t end) {
  row = Tiles<kTileRows[kVectors], kVectors>(panel, bias, call, column, row, end);
  row = Tiles<4, kVectors>(panel, bias, call, column, row, end);
  row = Tiles<2, kVectors>(panel, bias, call, column, row, end);
  Tiles<1, kVectors>(panel, bias, call, column, row, end);
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
      const size_t width = static_cast<size_t>(vectors) * n;
      const float* const bias = weights.bias.data() + column;
      const Panel panel{.in_channels = weights.in_channels,
                        .in_stride = call.in_half == 0 ? weights.in_stride : 1,
                        .in_step = call.in_half == 0 ? 1 : call.in_half,
                        .weight = weight,
                        .weight_step = width,
                        .activation = call.activation,
                        .out_stride = weights.out_stride};
      switch (vectors) {
        case 1:
          RunPanel<1>(panel, bias, call, column, row, end);
          break;
        case 2:
          RunPanel<2>(panel, bias, call, column, row, end);
          break;
        default:
          RunPanel<3>(panel, bias, call, column, row, end);
          break;
      }
      column += width;
      weight += weights.in_channels * width;
    }
  }
}

// kVectors vectors of columns, from `column` on, in all rows and channels.
template <int kVectors>
void RunPlanesPanel(const PlanesPointwiseWeights& weights, const PlanesPointwiseCall& call, size_t column) {
  constexpr int kChannels = 4;  // Their counts are multiples of it.
  Panel panel{.in_channels = weights.in_channels,
              .in_stride = weights.in_channels,
              .in_step = 1,
              .weight = call.in + column,
              .weight_step = call.width,
              .activation = call.activation,
              .out_stride = call.width};
  size_t place = column;
  for (int row = 0; row < call.rows; ++row, panel.weight += weights.in_channels * call.width) {
    for (size_t channel = 0; channel < weights.out_channels; channel += kChannels) {
      Tile<Lanes::kColumns, kChannels, kVectors>(panel, weights.weight.data() + channel * weights.in_channels,
                                                 weights.bias.data() + channel,
                                                 call.residual ? call.residual + place : nullptr, call.out + place);
      place += kChannels * call.width;
    }
  }
}

void PlanesPointwise(const PlanesPointwiseWeights& weights, const PlanesPointwiseCall& call) {
  constexpr int kVectors = kMaxPanelVectors < 3 ? 2 : 4;
  const size_t n = hn::Lanes(D());
  size_t column = 0;
  for (; column + kVectors * n <= call.width; column += kVectors * n) RunPlanesPanel<kVectors>(weights, call, column);
  // Two halves: an even number of vectors.
  if (column < call.width) RunPlanesPanel<2>(weights, call, column);
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
HWY_EXPORT(PlanesPointwise);
HWY_EXPORT(ScaleWeights);
HWY_EXPORT(MaxPanelVectors);

}  // namespace

void AddPointwiseKernels(KernelChoice choice, Kernels& kernels) {
  kernels.pointwise = HEARWIRE_CHOOSE_KERNEL(choice, Pointwise);
  kernels.planes_pointwise = HEARWIRE_CHOOSE_KERNEL(choice, PlanesPointwise);
  kernels.scale_weights = HEARWIRE_CHOOSE_KERNEL(choice, ScaleWeights);
  kernels.max_panel_vectors = HEARWIRE_CHOOSE_KERNEL(choice, MaxPanelVectors)();
}

}  // namespace hearwire
#endif  // HWY_ONCE
