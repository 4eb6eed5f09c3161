// The arithmetic of the native backend: kernels written once, compiled for every instruction set, chosen at run time.
//
// Maps are channels-last, [rows, cols, channels]: rows run over time, columns over mels, and channels are padded with
// zeros to a multiple of the vector width (the map's *stride*). Every output value is computed by the same operations
// in the same order whatever else a call computes, so that no window's bits depend on its company.

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
  AlignedFloats weight;     // Panel after panel: [in_channels, panel vectors x lanes].
  AlignedFloats bias;       // [out_stride]
};

struct PointwiseCall {
  const float* in = nullptr;  // [rows, in_stride]
  size_t rows = 0;
  const float* weight = nullptr;    // Instead of the layer's own, in the same order; null: its own.
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

// Some rows of a depthwise convolution of one window's map, padded by kernel / 2 zeros.
struct DepthwiseCall {
  const float* in = nullptr;  // Rows from first_in_row on, as far as the kernel reaches: [.., in_cols, channel_stride]
  int first_in_row = 0;
  int in_rows = 0;  // Of the whole map.
  int in_cols = 0;
  int first_out_row = 0;
  int end_out_row = 0;
  int out_cols = 0;
  Activation activation = Activation::kRelu;
  float* out = nullptr;   // Rows from first_out_row on: [.., out_cols, channel_stride]
  float* sums = nullptr;  // [channel_stride]: the outputs are added to it; null: nobody asks.
};

// The first convolution: 3 x 3, stride 2, from one channel, hardswish.
struct StemWeights {
  size_t out_stride = 0;
  AlignedFloats weight;  // [3 time, 3 mels, out_stride]
  AlignedFloats bias;    // [out_stride]
};

struct StemCall {
  const float* in = nullptr;  // The spectrogram with a border of one zero all round: [2 out_rows + 1, in_stride]
  size_t in_stride = 0;       // At least 2 out_cols + 1.
  int out_rows = 0;
  int out_cols = 0;
  float* out = nullptr;  // [out_rows, out_cols, out_stride]
};

struct Kernels {
  const char* instruction_set = "";  // "AVX3" (AVX-512), "AVX2", "SSE4", "NEON", "SCALAR", …
  size_t lanes = 1;                  // Of a vector: what channels are padded to.
  int max_panel_vectors = 1;         // The widest panel that `pointwise` takes.

  void (*pointwise)(const PointwiseWeights& weights, const PointwiseCall& call) = nullptr;
  void (*depthwise)(const DepthwiseWeights& weights, const DepthwiseCall& call) = nullptr;
  void (*stem)(const StemWeights& weights, const StemCall& call) = nullptr;

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
};

// The best that this processor can run.
Kernels BestKernels();

// The plainest that every processor of this architecture can run (scalar on x86-64): slow, to check the others against.
Kernels PlainKernels();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_KERNELS_H_
