#include "models/native/bfloat16.h"

#include <algorithm>
#include <bit>

#include "hwy/base.h"

#if HWY_ARCH_X86
#if HWY_COMPILER_GCC && !HWY_COMPILER_CLANG
// GCC 12 takes what its own intrinsics leave undefined on purpose for a mistake.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <type_traits>
#include <utility>

// Highway has no target with these instructions, so they are written as intrinsics, for a target of their own.
#define HEARWIRE_BFLOAT16_TARGET "avx512f,avx512bw,avx512vl,avx512bf16"
// Behind the parameters of a lambda that Unroll calls.
#define HEARWIRE_UNROLLED __attribute__((always_inline, target(HEARWIRE_BFLOAT16_TARGET)))

HWY_PUSH_ATTRIBUTES(HEARWIRE_BFLOAT16_TARGET)
namespace hearwire {
// The name by which tests/architecture/any_processor.py knows what is chosen at run time.
namespace N_AVX3_BF16 {
namespace {

constexpr size_t kLanes = 16;

template <class F, int... kIndices>
HWY_INLINE void UnrollEach(const F& f, std::integer_sequence<int, kIndices...>) {
  (f(std::integral_constant<int, kIndices>()), ...);
}

// f(0), f(1), … f(kCount - 1); each argument is a constant.
template <int kCount, class F>
HWY_INLINE void Unroll(const F& f) {
  UnrollEach(f, std::make_integer_sequence<int, kCount>());
}

// What stays the same for the tiles of a panel. Steps and strides of the input are in pairs.
struct Panel {
  size_t pairs;
  size_t in_stride;        // From an input row to the next,
  size_t in_step;          // and from a pair of channels to the next.
  const uint32_t* weight;  // [pairs, vectors x lanes]
  Activation activation;
  size_t out_stride;
};

template <Activation kActivation>
HWY_INLINE __m512 Activate(__m512 x) {
  if constexpr (kActivation == Activation::kRelu) return _mm512_max_ps(x, _mm512_setzero_ps());
  if constexpr (kActivation == Activation::kHardswish) {
    const __m512 ramp =
        _mm512_min_ps(_mm512_max_ps(_mm512_add_ps(x, _mm512_set1_ps(3.0f)), _mm512_setzero_ps()), _mm512_set1_ps(6.0f));
    return _mm512_mul_ps(_mm512_mul_ps(x, ramp), _mm512_set1_ps(1.0f / 6));
  }
  return x;
}

// kRows rows of the panel, from the sums in `sum` to memory.
template <Activation kActivation, int kRows, int kVectors>
HWY_INLINE void StoreTile(const __m512 (&sum)[kRows][kVectors], const float* residual, float* out, size_t out_stride) {
  Unroll<kRows>([&](auto r) HEARWIRE_UNROLLED {
    Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
      const size_t place = r * out_stride + v * kLanes;
      __m512 y = Activate<kActivation>(sum[r][v]);
      if (residual != nullptr) y = _mm512_add_ps(y, _mm512_load_ps(residual + place));
      _mm512_store_ps(out + place, y);
    });
  });
}

// in, residual, out: of the tile's first row.
template <int kRows, int kVectors>
HWY_INLINE void Tile(const Panel& panel, const uint32_t* HWY_RESTRICT in, const float* HWY_RESTRICT bias,
                     const float* residual, float* out) {
  __m512 sum[kRows][kVectors];
  Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED {
    Unroll<kRows>([&](auto r) HEARWIRE_UNROLLED { sum[r][v] = _mm512_load_ps(bias + v * kLanes); });
  });
  const uint32_t* HWY_RESTRICT weight = panel.weight;
  const size_t in_stride = panel.in_stride;
  for (size_t k = panel.pairs; k != 0; --k) {
    __m512bh w[kVectors];
    Unroll<kVectors>(
        [&](auto v) HEARWIRE_UNROLLED { w[v] = reinterpret_cast<__m512bh>(_mm512_load_si512(weight + v * kLanes)); });
    const uint32_t* next = in;
    Unroll<kRows>([&](auto r) HEARWIRE_UNROLLED {
      const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(*next)));
      next += in_stride;
      // Keeps the compiler from computing tables of addresses beforehand, which cost more registers than there are.
      if constexpr (kRows > 8) asm("" : "+r"(next));
      Unroll<kVectors>([&](auto v) HEARWIRE_UNROLLED { sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, w[v]); });
    });
    in += panel.in_step;
    weight += kVectors * kLanes;
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

// Where a panel's part of the call begins: its first row and column.
struct Part {
  const uint32_t* in;
  const float* bias;
  const float* residual;  // Null: none.
  float* out;
  size_t rows;
};

// As many tiles of kRows as fit into the rows that are left.
template <int kRows, int kVectors>
HWY_INLINE void Tiles(const Panel& panel, Part& part) {
  for (; part.rows >= kRows; part.rows -= kRows) {
    Tile<kRows, kVectors>(panel, part.in, part.bias, part.residual, part.out);
    part.in += kRows * panel.in_stride;
    part.out += kRows * panel.out_stride;
    if (part.residual != nullptr) part.residual += kRows * panel.out_stride;
  }
}

// Rows of the largest tile, by the panel's vectors: sums, weights and one input fill the registers.
constexpr int kTileRows[] = {0, 14, 12, 8};

template <int kVectors>
void RunPanel(const Panel& panel, Part part) {
  Tiles<kTileRows[kVectors], kVectors>(panel, part);
  Tiles<4, kVectors>(panel, part);
  Tiles<2, kVectors>(panel, part);
  Tiles<1, kVectors>(panel, part);
}

HWY_INLINE __m512i RoundTwo(__m512 low, __m512 high) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

// Rows [first, end) of the call's input, multiplied by its factors, to [rows, in_stride / 2].
void RoundRows(const PointwiseCall& call, size_t stride, size_t first, size_t end, uint32_t* HWY_RESTRICT to) {
  const float* HWY_RESTRICT in = call.in + first * stride;
  for (size_t row = first; row < end; ++row, in += stride, to += stride / 2) {
    const float* const factors =
        call.factors == nullptr ? nullptr : call.factors + row / call.rows_per_factors * stride;
    const auto load = [&](size_t i) HEARWIRE_UNROLLED {
      const __m512 x = _mm512_load_ps(in + i);
      return factors == nullptr ? x : _mm512_mul_ps(x, _mm512_load_ps(factors + i));
    };
    size_t i = 0;
    for (; i + 2 * kLanes <= stride; i += 2 * kLanes) {
      _mm512_storeu_si512(to + i / 2, RoundTwo(load(i), load(i + kLanes)));  // Rows may begin between cache lines.
    }
    if (i == stride) continue;
    const __m512i last = RoundTwo(load(i), _mm512_setzero_ps());
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i / 2), _mm512_castsi512_si256(last));
  }
}

// Half planes, [channels, half], to [pairs, half].
void RoundPlanes(const float* HWY_RESTRICT in, size_t channels, size_t half, uint32_t* HWY_RESTRICT to) {
  alignas(64) static constexpr uint16_t kInTurn[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                     8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i in_turn = _mm512_load_si512(kInTurn);
  for (size_t channel = 0; channel < channels; channel += 2, in += 2 * half, to += half) {
    for (size_t col = 0; col < half; col += kLanes) {
      const __m512 odd = channel + 1 < channels ? _mm512_load_ps(in + half + col) : _mm512_setzero_ps();
      _mm512_store_si512(to + col, _mm512_permutexvar_epi16(in_turn, RoundTwo(_mm512_load_ps(in + col), odd)));
    }
  }
}

void Pointwise(const PointwiseWeights& weights, const PointwiseCall& call, AlignedPairs& rounded) {
  // Rows at a time: in bfloat16 they stay in the first-level cache, or in the second where channels are many, while
  // all panels pass over them. Half planes are few rows already.
  constexpr size_t kBlockBytes = size_t{24} * 1024;
  constexpr size_t kMinRows = 96;
  const bool planes = call.in_half != 0;
  const size_t pair_stride = weights.in_stride / 2;
  const size_t pairs = (weights.in_channels + 1) / 2;
  const size_t block =
      planes ? call.rows : std::max(kMinRows, kBlockBytes / (pair_stride * sizeof(uint32_t)) / 24 * 24);
  uint32_t* const in = rounded.Reserve(planes ? pairs * call.in_half : std::min(block, call.rows) * pair_stride);
  for (size_t row = 0; row < call.rows; row += block) {
    const size_t end = std::min(call.rows, row + block);
    if (planes) {
      RoundPlanes(call.in, weights.in_channels, call.in_half, in);
    } else {
      RoundRows(call, weights.in_stride, row, end, in);
    }
    const size_t first_out = row * weights.out_stride;
    Panel panel{.pairs = pairs,
                .in_stride = planes ? 1 : pair_stride,
                .in_step = planes ? call.in_half : 1,
                .weight = weights.pairs.data(),
                .activation = call.activation,
                .out_stride = weights.out_stride};
    Part part{.in = in,
              .bias = weights.bias.data(),
              .residual = call.residual == nullptr ? nullptr : call.residual + first_out,
              .out = call.out + first_out,
              .rows = end - row};
    for (const int vectors : weights.panels) {
      switch (vectors) {
        case 1:
          RunPanel<1>(panel, part);
          break;
        case 2:
          RunPanel<2>(panel, part);
          break;
        default:
          RunPanel<3>(panel, part);
          break;
      }
      const size_t width = static_cast<size_t>(vectors) * kLanes;
      panel.weight += pairs * width;
      part.bias += width;
      part.out += width;
      if (part.residual != nullptr) part.residual += width;
    }
  }
}

}  // namespace
}  // namespace N_AVX3_BF16
}  // namespace hearwire
HWY_POP_ATTRIBUTES
#endif  // HWY_ARCH_X86

namespace hearwire {
namespace {

// Finite: the largest become infinity, as they do in the kernels.
uint32_t Round(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

}  // namespace

uint32_t MakePair(float even, float odd) { return Round(even) | Round(odd) << 16; }

bool RunsBfloat16([[maybe_unused]] const Kernels& kernels) {
#if HWY_ARCH_X86
  return kernels.lanes == N_AVX3_BF16::kLanes && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

void PointwiseBfloat16([[maybe_unused]] const PointwiseWeights& weights, [[maybe_unused]] const PointwiseCall& call,
                       [[maybe_unused]] AlignedPairs& rounded) {
#if HWY_ARCH_X86
  N_AVX3_BF16::Pointwise(weights, call, rounded);
#endif
}

}  // namespace hearwire
