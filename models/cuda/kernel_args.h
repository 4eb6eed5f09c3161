// What the kernels take: plain structs that the host fills in and passes by value. Addresses are the device's.
//
// Maps are [window, time, mels, channels] in float32, channels fastest, channels a multiple of 8. A window may be
// shorter than its map: a map at level l has ceil(length / 2^l) frames of it; what lies behind them is never read as
// data.

#ifndef HEARWIRE_MODELS_CUDA_KERNEL_ARGS_H_
#define HEARWIRE_MODELS_CUDA_KERNEL_ARGS_H_

namespace hearwire {

enum GpuActivation : int { kGpuNone, kGpuRelu, kGpuHardswish, kGpuSigmoid };

// First convolution: 3 x 3, stride 2, one channel in. Frames are gathered on the way.
struct StemArgs {
  const float* rows;    // [rows, mels]
  const int* index;     // [windows, frames]: into rows.
  const float* weight;  // [9, channels]: time, then mels.
  const float* bias;    // [channels]
  float* y;             // [windows, time, mels_out, channels]
  int windows, frames, mels, time, mels_out, channels;
};

// y = activation((x * scale) W + bias) + residual.
struct PointwiseArgs {
  const float* x;         // [rows, terms]
  const float* weight;    // [terms, channels]
  const float* bias;      // [channels]
  const float* scale;     // [rows / positions, terms]; may be null.
  const float* residual;  // [rows, channels]; may be null.
  float* y;               // [rows, row_stride], of which the first channels_out are written.
  int rows, terms, channels, channels_out, row_stride;
  int positions;   // Rows of one window.
  int scale_rows;  // The most windows that a thread block's rows are of; 0: no scale.
  int activation;
};

struct DepthwiseArgs {
  const float* x;       // [windows, time, mels, channels]
  const float* weight;  // [kernel * kernel, channels]: time, then mels.
  const float* bias;    // [channels]
  const int* lengths;   // [windows]
  float* y;             // [windows, time_out, mels_out, channels]
  int windows, time, mels, time_out, mels_out, channels;
  int level;  // Of x.
  int activation;
};

// One value a channel, of all of a window's map.
struct PoolArgs {
  const float* x;      // [windows, time, mels, channels]
  const int* lengths;  // [windows]
  float* y;            // [windows, row_stride]
  int windows, time, mels, channels, row_stride;
  int level;    // Of x.
  int maximum;  // Else the mean.
};

// As PoolArgs, a value a channel and band: y is [windows, row_stride] of [channels, mels].
using PoolTimeArgs = PoolArgs;

// Mean of a window's frames, a value a band.
struct PoolFramesArgs {
  const float* rows;   // [rows, mels]
  const int* index;    // [windows, frames]
  const int* lengths;  // [windows]
  float* y;            // [windows, row_stride]
  int windows, frames, mels, row_stride;
};

// How pointwise kernels are cut. A thread block makes warps * 16 * tiles rows of 8 * columns channels; terms are taken
// kPointwiseDepth at a time, and so many stages of them stand in shared memory, all but one of which are under way:
// small blocks compute for a shorter time than copies take.
inline constexpr int kPointwiseDepth = 16;
inline constexpr int kMaxPointwiseColumns = 5;

constexpr int PointwiseStages(int tiles, int warps) { return tiles == 2 ? 3 : warps == 4 ? 4 : 6; }
constexpr int PointwiseRowStride() { return kPointwiseDepth + 4; }
constexpr int PointwiseColumnStride(int columns) { return 8 * columns + (columns % 2 == 0 ? 8 : 0); }
constexpr int PointwiseStageFloats(int columns, int tiles, int warps, int scale_rows) {
  return (warps * 16 * tiles + scale_rows) * PointwiseRowStride() + kPointwiseDepth * PointwiseColumnStride(columns);
}
constexpr int PointwiseSharedBytes(int columns, int tiles, int warps, int scale_rows) {
  return PointwiseStages(tiles, warps) * PointwiseStageFloats(columns, tiles, warps, scale_rows) * 4;
}

// Threads of a block.
inline constexpr int kMapThreads = 128;
// A pooling block: that many groups of four channels, by that many parts of the positions, added up in a fixed order.
inline constexpr int kPoolGroups = 16;
inline constexpr int kPoolParts = 8;
// Outputs that a thread of a depthwise kernel makes, side by side along mels.
inline constexpr int kDepthwiseStrip = 4;

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_KERNEL_ARGS_H_
