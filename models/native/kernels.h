// The arithmetic of the native backend: kernels written once, compiled for every instruction set, chosen at run time.
//
// Most maps are channels-last, [rows, cols, channels]: rows run over time, columns over mels, and channels are padded
// with zeros to a multiple of the vector width (the map's *stride*). Every output value is computed by the same
// operations in the same order whatever else a call computes, so that no window's bits depend on its company.
//
// The first maps are wide and have few channels: as channels they would leave lanes empty. They are *planes*,
// [rows, channels, width], whose lanes run over columns: first the even columns of a row, then the odd ones, each half
// padded to a multiple of the vector width, so that a convolution of stride 2 too reads neighbouring lanes. What
// padding holds means nothing.

#ifndef HEARWIRE_MODELS_NATIVE_KERNELS_H_
#define HEARWIRE_MODELS_NATIVE_KERNELS_H_

#include <cstddef>
#include <vector>

#include "models/configs/network_shape.h"
#include "models/native/aligned_floats.h"

namespace hearwire {

// A 1 x 1 convolution or a linear layer, its output channels cut into panels of a few vectors.
struct PointwiseWeights {
  size_t in_channels = 0;
  size_t in_stride = 0;
  size_t out_channels = 0;
  size_t out_stride = 0;
  std::vector<int> panels;  // Vectors in each.
  AlignedFloats weight;     // Panel after panel: [in_channels, panel vectors x lanes]. Empty in bfloat16.
  AlignedPairs pairs;       // Likewise, in bfloat16: [in_channels / 2, panel vectors x lanes]. Empty in float32.
  AlignedFloats bias;       // [out_stride]
};

struct PointwiseCall {
  const float* in = nullptr;  // [rows, in_stride]
  // Not 0: `in` is a row of half planes instead, [in_channels, in_half], whose first columns are the call's rows.
  size_t in_half = 0;
  size_t rows = 0;
  const float* weight = nullptr;  // Instead of the layer's own, in the same order; null: its own. In float32 only.
  // [rows / rows_per_factors, in_stride]: what rows_per_factors rows' inputs are multiplied by; null: 1. In bfloat16
  // only.
  const float* factors = nullptr;
  size_t rows_per_factors = 1;
  const float* residual = nullptr;  // [rows, out_stride], added behind the activation; null: none. May be `out`.
  Activation activation = Activation::kNone;
  float* out = nullptr;  // [rows, out_stride]
};

struct DepthwiseWeights {
  int kernel = 3;  // 3 or 5.
  int stride = 1;  // 1 or 2.
  size_t channel_stride = 0;
  AlignedFloats weight;  // [kernel rows, kernel cols, channel_stride]
  AlignedFloats bias;    // [channel_stride]
};

// Some rows of a depthwise convolution of one or more windows' maps, padded by kernel / 2 zeros.
struct DepthwiseCall {
  const float* in = nullptr;  // Rows from first_in_row on, as far as the kernel reaches: [.., in_cols, channel_stride]
  int first_in_row = 0;
  int in_rows = 0;  // Of the whole map.
  int in_cols = 0;
  int first_out_row = 0;
  int end_out_row = 0;
  int out_cols = 0;
  int windows = 1;
  size_t in_window = 0;  // From a window's values to the next's.
  size_t out_window = 0;
  Activation activation = Activation::kRelu;
  float* out = nullptr;  // Rows from first_out_row on: [.., out_cols, channel_stride]
  // [windows, channel_stride], to which the outputs are added, times mean_scale; null: nobody asks.
  float* means = nullptr;
  float mean_scale = 1;
};

// The first convolution: 3 x 3, stride 2, from one channel, hardswish, to planes.
struct StemWeights {
  size_t channels = 0;
  AlignedFloats weight;  // [channels, 3 time, 3 mels]
  AlignedFloats bias;    // [channels]
};

struct StemCall {
  // The spectrogram with a row of zeros before and behind it, its rows quartered as quarter_row does:
  // [2 out_rows + 1, lanes + 4 half]
  const float* in = nullptr;
  size_t half = 0;  // Of an output row.
  int out_rows = 0;
  float* out = nullptr;  // [out_rows, channels, 2 half]
};

// A 1 x 1 convolution from planes to planes. The numbers of channels are multiples of 4.
struct PlanesPointwiseWeights {
  size_t in_channels = 0;
  size_t out_channels = 0;
  AlignedFloats weight;  // [out_channels, in_channels]
  AlignedFloats bias;    // [out_channels]
};

struct PlanesPointwiseCall {
  const float* in = nullptr;  // [rows, in_channels, width]
  int rows = 0;
  size_t width = 0;  // Of a plane's row, padding included.
  // [rows, out_channels, width], added behind the activation; null: none. May be `out`.
  const float* residual = nullptr;
  Activation activation = Activation::kNone;
  float* out = nullptr;  // [rows, out_channels, width]
};

// A depthwise convolution of planes, 3 x 3: of all channels that the input holds.
struct PlanesDepthwiseWeights {
  int stride = 1;  // 1 or 2.
  size_t channels = 0;
  AlignedFloats weight;  // [channels, 3 time, 3 mels]
  AlignedFloats bias;    // [channels]
};

// Some rows of it, of one window's map, padded by zeros.
struct PlanesDepthwiseCall {
  const float* in = nullptr;  // Rows from first_in_row on, as far as the kernel reaches: [.., channels, 2 half]
  size_t half = 0;            // Of an input row.
  int first_in_row = 0;
  int in_rows = 0;  // Of the whole map.
  int in_cols = 0;
  int first_out_row = 0;
  int end_out_row = 0;
  Activation activation = Activation::kRelu;
  // Rows from first_out_row on, out_stride apart. Stride 1: [.., channels, 2 half]; stride 2: [.., channels, half],
  // columns in their order.
  float* out = nullptr;
  size_t out_stride = 0;
};

struct Kernels {
  const char* instruction_set = "";  // "AVX3" (AVX-512), "AVX2", "SSE4", "NEON", "SCALAR", …
  size_t lanes = 1;                  // Of a vector: what channels are padded to.
  int max_panel_vectors = 1;         // The widest panel that `pointwise` takes.

  void (*pointwise)(const PointwiseWeights& weights, const PointwiseCall& call) = nullptr;
  void (*depthwise)(const DepthwiseWeights& weights, const DepthwiseCall& call) = nullptr;
  // Every fourth of `mels` values, each quarter padded with zeros to `half`, for the stem to read in vectors: lanes of
  // zeros, then the values 3, 7, …, then 0, 4, …, then 1, 5, …, then 2, 6, …. out: [lanes + 4 half]
  void (*quarter_row)(const float* in, size_t mels, size_t half, float* out) = nullptr;
  void (*stem)(const StemWeights& weights, const StemCall& call) = nullptr;
  void (*planes_pointwise)(const PlanesPointwiseWeights& weights, const PlanesPointwiseCall& call) = nullptr;
  void (*planes_depthwise)(const PlanesDepthwiseWeights& weights, const PlanesDepthwiseCall& call) = nullptr;

  // x[n] = 1 / (1 + exp(-x[n])); n a multiple of lanes.
  void (*sigmoid)(float* x, size_t n) = nullptr;
  // x[count, n] *= factors[n]; n a multiple of lanes.
  void (*multiply_rows)(float* x, size_t count, size_t n, const float* factors) = nullptr;
  // sums[n] = the sum of x[count, n] over count >= 1, maxima[n] the maximum; either may be null. n a multiple of lanes.
  void (*reduce_rows)(const float* x, size_t count, size_t n, float* sums, float* maxima) = nullptr;
  // weights for a PointwiseCall whose inputs would have been multiplied by factors[in_channels]; out: as many as
  // weight.
  void (*scale_weights)(const PointwiseWeights& weights, const float* factors, float* out) = nullptr;

  size_t Pad(size_t channels) const { return (channels + lanes - 1) / lanes * lanes; }
  // Half a row of planes.
  size_t Half(int cols) const { return Pad((static_cast<size_t>(cols) + 1) / 2); }
};

// The best that this processor can run.
Kernels BestKernels();

// The plainest that every processor of this architecture can run (scalar on x86-64): slow, to check the others against.
Kernels PlainKernels();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_KERNELS_H_
