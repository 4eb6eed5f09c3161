// The kernels' bodies. Included where they are compiled: by kernels.cu for GPUs, and by tests that run them on the CPU.
//
// Every sum is taken in an order that depends on the place of its terms alone, not on how work is cut: a row has the same
// bits in any company, and whichever cut is the fastest may be used.

#ifndef HEARWIRE_MODELS_CUDA_KERNELS_CUH_
#define HEARWIRE_MODELS_CUDA_KERNELS_CUH_

#include "models/cuda/kernel_args.h"

namespace hearwire {

__device__ inline float Activate(float x, int activation) {
  if (activation == kGpuRelu) return fmaxf(x, 0.0f);
  if (activation == kGpuHardswish) return x * (fminf(fmaxf(x + 3.0f, 0.0f), 6.0f) * (1.0f / 6.0f));
  if (activation == kGpuSigmoid) return 1.0f / (1.0f + expf(-x));
  return x;
}

__device__ inline float4 Activate(float4 x, int activation) {
  return make_float4(Activate(x.x, activation), Activate(x.y, activation), Activate(x.z, activation),
                     Activate(x.w, activation));
}

__device__ inline float4 MultiplyAdd(float4 a, float4 b, float4 sum) {
  return make_float4(fmaf(a.x, b.x, sum.x), fmaf(a.y, b.y, sum.y), fmaf(a.z, b.z, sum.z), fmaf(a.w, b.w, sum.w));
}

__device__ inline float4 Sum(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
__device__ inline float4 Larger(float4 a, float4 b) {
  return make_float4(fmaxf(a.x, b.x), fmaxf(a.y, b.y), fmaxf(a.z, b.z), fmaxf(a.w, b.w));
}

__device__ inline float4 Load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
__device__ inline void Store4(float* p, float4 x) { *reinterpret_cast<float4*>(p) = x; }

// Frames of a window at a level.
__device__ inline int LengthAt(int length, int level) { return (length + (1 << level) - 1) >> level; }

__device__ inline void Stem(const StemArgs& a) {
  const int groups = a.channels / 4;
  const long long id = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= (long long)a.windows * a.time * a.mels_out * groups) return;
  const int c = 4 * (int)(id % groups);
  const long long position = id / groups;
  const int m_out = (int)(position % a.mels_out);
  const int t_out = (int)(position / a.mels_out % a.time);
  const int w = (int)(position / a.mels_out / a.time);
  float4 sum = Load4(a.bias + c);
  for (int dt = 0; dt < 3; ++dt) {
    const int t = 2 * t_out + dt - 1;
    if (t < 0 || t >= a.frames) continue;
    const float* row = a.rows + (long long)a.index[w * a.frames + t] * a.mels;
    for (int dm = 0; dm < 3; ++dm) {
      const int m = 2 * m_out + dm - 1;
      if (m < 0 || m >= a.mels) continue;
      const float x = row[m];
      sum = MultiplyAdd(make_float4(x, x, x, x), Load4(a.weight + (3 * dt + dm) * a.channels + c), sum);
    }
  }
  Store4(a.y + position * a.channels + c, Activate(sum, kGpuHardswish));
}

// A float32 as two numbers of tensor cores' precision, TF32, which has 11 bits: the second is what the first leaves out.
// Both are rounded to the nearest; the cores drop the bits behind.
struct SplitFloat {
  unsigned high, low;
};
__device__ inline SplitFloat Split(float x) {
  constexpr unsigned kHalf = 0x1000u, kKept = 0xffffe000u;
  const unsigned high = (__float_as_uint(x) + kHalf) & kKept;
  return {high, __float_as_uint(x - __uint_as_float(high)) + kHalf};
}

// Products on tensor cores, each as three of TF32: low x high, high x low, high x high. What is left out is 2^-22 of a
// product at most. Tensor cores cut sums off instead of rounding them, so they add up eight terms only, and what they
// found is added here.
template <int kColumns, int kTiles, int kWarps>
__device__ inline void Pointwise(const PointwiseArgs& a) {
  constexpr int kRows = kWarps * kTiles * 16;
  constexpr int kThreads = kWarps * 32;
  constexpr int kStages = PointwiseStages(kTiles, kWarps);
  constexpr int kStrideA = PointwiseRowStride();
  constexpr int kStrideB = PointwiseColumnStride(kColumns);
  float* const shared = SharedFloats();
  const int stage_floats = PointwiseStageFloats(kColumns, kTiles, kWarps, a.scale_rows);

  const int column_blocks = (a.channels + 8 * kColumns - 1) / (8 * kColumns);
  const int first_row = (int)(blockIdx.x / column_blocks) * kRows;
  const int first_column = (int)(blockIdx.x % column_blocks) * 8 * kColumns;
  const int first_window = first_row / a.positions, windows = a.rows / a.positions;
  const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
  const int g = lane / 4, q = lane % 4;  // As the instruction lays its operands out over lanes.
  const int steps = (a.terms + kPointwiseDepth - 1) / kPointwiseDepth;

  // Copies `rows` rows of a stage's terms.
  const auto load_rows = [&](float* to, const float* from, int first, int end, int rows, int first_term) {
    for (int i = thread; i < rows * kPointwiseDepth / 4; i += kThreads) {
      const int row = i / (kPointwiseDepth / 4), term = i % (kPointwiseDepth / 4) * 4;
      const bool inside = first + row < end && first_term + term < a.terms;
      CopyAsync16(to + row * kStrideA + term,
                  inside ? from + (long long)(first + row) * a.terms + first_term + term : from, inside);
    }
  };
  const auto load = [&](int step) {
    float* const xs = shared + step % kStages * stage_floats;
    float* const ws = xs + kRows * kStrideA;
    const int first_term = step * kPointwiseDepth;
    load_rows(xs, a.x, first_row, a.rows, kRows, first_term);
    for (int i = thread; i < kPointwiseDepth * kColumns * 2; i += kThreads) {
      const int term = i / (kColumns * 2), column = i % (kColumns * 2) * 4;
      const bool inside = first_term + term < a.terms && first_column + column < a.channels;
      CopyAsync16(ws + term * kStrideB + column,
                  inside ? a.weight + (long long)(first_term + term) * a.channels + first_column + column : a.weight,
                  inside);
    }
    if (a.scale != nullptr) {
      load_rows(ws + kPointwiseDepth * kStrideB, a.scale, first_window, windows, a.scale_rows, first_term);
    }
  };

  // Where this lane's rows find their scales in a stage.
  int scale_places[2 * kTiles];
  HEARWIRE_UNROLL
  for (int i = 0; i < 2 * kTiles; ++i) {
    const int row = first_row + (warp * kTiles + i / 2) * 16 + g + i % 2 * 8;
    scale_places[i] = ((row < a.rows ? row : a.rows - 1) / a.positions - first_window) * kStrideA + q;
  }

  float sums[kTiles][kColumns][4] = {};
  for (int step = 0; step < kStages - 1; ++step) {
    if (step < steps) load(step);
    CommitCopies();
  }
  for (int step = 0; step < steps; ++step) {
    WaitForCopies<kStages - 2>();
    SyncThreads();
    if (step + kStages - 1 < steps) load(step + kStages - 1);
    CommitCopies();
    const float* const xs = shared + step % kStages * stage_floats;
    const float* const ws = xs + kRows * kStrideA;
    const float* const scales = ws + kPointwiseDepth * kStrideB;
    HEARWIRE_UNROLL
    for (int term = 0; term < kPointwiseDepth; term += 8) {
      if (step * kPointwiseDepth + term >= a.terms) break;
      SplitFloat x[kTiles][4];
      HEARWIRE_UNROLL
      for (int tile = 0; tile < kTiles; ++tile) {
        const float* const place = xs + ((warp * kTiles + tile) * 16 + g) * kStrideA + term + q;
        HEARWIRE_UNROLL
        for (int i = 0; i < 4; ++i) {
          float value = place[i % 2 * 8 * kStrideA + i / 2 * 4];
          if (a.scale != nullptr) value *= scales[scale_places[2 * tile + i % 2] + term + i / 2 * 4];
          x[tile][i] = Split(value);
        }
      }
      // Some columns at a time: sums that do not wait for one another keep the tensor cores busy.
      constexpr int kGroup = 4 / kTiles;
      HEARWIRE_UNROLL
      for (int first = 0; first < kColumns; first += kGroup) {
        constexpr int kProducts = 3;
        SplitFloat w[kGroup][2];
        float parts[kTiles][kGroup][4] = {};
        HEARWIRE_UNROLL
        for (int i = 0; i < kGroup; ++i) {
          if (first + i >= kColumns) break;
          const float* const place = ws + (term + q) * kStrideB + (first + i) * 8 + g;
          w[i][0] = Split(place[0]);
          w[i][1] = Split(place[4 * kStrideB]);
        }
        HEARWIRE_UNROLL
        for (int product = 0; product < kProducts; ++product) {
          HEARWIRE_UNROLL
          for (int i = 0; i < kGroup * kTiles; ++i) {
            const int column = i / kTiles, tile = i % kTiles;
            if (first + column >= kColumns) break;
            const SplitFloat* const s = x[tile];
            if (product == 0) {
              MultiplyTf32(parts[tile][column], s[0].low, s[1].low, s[2].low, s[3].low, w[column][0].high,
                           w[column][1].high);
            } else {
              const bool low = product == 1;
              MultiplyTf32(parts[tile][column], s[0].high, s[1].high, s[2].high, s[3].high,
                           low ? w[column][0].low : w[column][0].high, low ? w[column][1].low : w[column][1].high);
            }
          }
        }
        HEARWIRE_UNROLL
        for (int i = 0; i < kGroup * kTiles; ++i) {
          const int column = i / kTiles, tile = i % kTiles;
          if (first + column >= kColumns) break;
          HEARWIRE_UNROLL
          for (int k = 0; k < 4; ++k) sums[tile][first + column][k] += parts[tile][column][k];
        }
      }
    }
  }
  WaitForCopies<0>();

  const bool in_pairs = a.row_stride % 2 == 0 && a.channels_out == a.channels;
  for (int i = 0; i < 2 * kTiles; ++i) {
    const int row = first_row + (warp * kTiles + i / 2) * 16 + g + i % 2 * 8;
    if (row >= a.rows) continue;
    float* const y = a.y + (long long)row * a.row_stride;
    const float* const residual = a.residual == nullptr ? nullptr : a.residual + (long long)row * a.channels;
    for (int column = 0; column < kColumns; ++column) {
      const int c = first_column + column * 8 + 2 * q;
      if (c >= a.channels) break;
      float2 value = make_float2(Activate(sums[i / 2][column][i % 2 * 2] + a.bias[c], a.activation),
                                 Activate(sums[i / 2][column][i % 2 * 2 + 1] + a.bias[c + 1], a.activation));
      if (residual != nullptr) {
        value.x += residual[c];
        value.y += residual[c + 1];
      }
      if (in_pairs) {
        *reinterpret_cast<float2*>(y + c) = value;
      } else {
        if (c < a.channels_out) y[c] = value.x;
        if (c + 1 < a.channels_out) y[c + 1] = value.y;
      }
    }
  }
}

template <int kKernel, int kStride>
__device__ inline void Depthwise(const DepthwiseArgs& a) {
  constexpr int kStrip = kDepthwiseStrip;
  const int groups = a.channels / 4, strips = (a.mels_out + kStrip - 1) / kStrip;
  const long long id = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= (long long)a.windows * a.time_out * strips * groups) return;
  const int c = 4 * (int)(id % groups);
  const int first_out = (int)(id / groups % strips) * kStrip;
  const int t_out = (int)(id / groups / strips % a.time_out);
  const int w = (int)(id / groups / strips / a.time_out);
  const int length = LengthAt(a.lengths[w], a.level);
  const float4 bias = Load4(a.bias + c);
  float4 sums[kStrip];
  for (int i = 0; i < kStrip; ++i) sums[i] = bias;
  HEARWIRE_UNROLL
  for (int dt = 0; dt < kKernel; ++dt) {
    const int t = t_out * kStride + dt - kKernel / 2;
    if (t < 0 || t >= length) continue;
    float4 weight[kKernel];
    HEARWIRE_UNROLL
    for (int dm = 0; dm < kKernel; ++dm) weight[dm] = Load4(a.weight + (dt * kKernel + dm) * a.channels + c);
    const float* const row = a.x + ((long long)w * a.time + t) * a.mels * a.channels + c;
    HEARWIRE_UNROLL
    for (int j = 0; j < (kStrip - 1) * kStride + kKernel; ++j) {
      const int m = first_out * kStride + j - kKernel / 2;
      if (m < 0 || m >= a.mels) continue;
      const float4 x = Load4(row + (long long)m * a.channels);
      HEARWIRE_UNROLL
      for (int i = 0; i < kStrip; ++i) {
        const int dm = j - i * kStride;
        if (dm >= 0 && dm < kKernel) sums[i] = MultiplyAdd(x, weight[dm], sums[i]);
      }
    }
  }
  float* const y = a.y + (((long long)w * a.time_out + t_out) * a.mels_out + first_out) * a.channels + c;
  HEARWIRE_UNROLL
  for (int i = 0; i < kStrip; ++i) {
    if (first_out + i < a.mels_out) Store4(y + (long long)i * a.channels, Activate(sums[i], a.activation));
  }
}

__device__ inline void Pool(const PoolArgs& a) {
  float4* const shared = reinterpret_cast<float4*>(SharedFloats());  // [parts, groups]
  const int blocks = (a.channels / 4 + kPoolGroups - 1) / kPoolGroups;
  const int w = blockIdx.x / blocks;
  const int group = threadIdx.x % kPoolGroups, part = threadIdx.x / kPoolGroups;
  const int c = 4 * ((int)(blockIdx.x % blocks) * kPoolGroups + group);
  const int count = LengthAt(a.lengths[w], a.level) * a.mels;
  const float start = a.maximum ? -INFINITY : 0.0f;
  float4 value = make_float4(start, start, start, start);
  if (c < a.channels) {
    const float* const x = a.x + (long long)w * a.time * a.mels * a.channels + c;
    for (int position = part; position < count; position += kPoolParts) {
      const float4 more = Load4(x + (long long)position * a.channels);
      value = a.maximum ? Larger(value, more) : Sum(value, more);
    }
  }
  shared[threadIdx.x] = value;
  SyncThreads();
  if (part != 0 || c >= a.channels) return;
  for (int i = 1; i < kPoolParts; ++i) {
    const float4 more = shared[i * kPoolGroups + group];
    value = a.maximum ? Larger(value, more) : Sum(value, more);
  }
  const float factor = a.maximum ? 1.0f : 1.0f / (float)count;
  float* const y = a.y + (long long)w * a.row_stride + c;  // Columns begin anywhere: no store of four.
  y[0] = value.x * factor;
  y[1] = value.y * factor;
  y[2] = value.z * factor;
  y[3] = value.w * factor;
}

__device__ inline void PoolTime(const PoolTimeArgs& a) {
  const long long id = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= (long long)a.windows * a.mels * a.channels) return;
  const int c = (int)(id % a.channels);
  const int m = (int)(id / a.channels % a.mels);
  const int w = (int)(id / a.channels / a.mels);
  const int count = LengthAt(a.lengths[w], a.level);
  const float* const x = a.x + ((long long)w * a.time * a.mels + m) * a.channels + c;
  float value = a.maximum ? -INFINITY : 0.0f;
  for (int t = 0; t < count; ++t) {
    const float more = x[(long long)t * a.mels * a.channels];
    value = a.maximum ? fmaxf(value, more) : value + more;
  }
  a.y[(long long)w * a.row_stride + c * a.mels + m] = a.maximum ? value : value / (float)count;
}

__device__ inline void PoolFrames(const PoolFramesArgs& a) {
  const long long id = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= (long long)a.windows * a.mels) return;
  const int m = (int)(id % a.mels), w = (int)(id / a.mels);
  const int count = a.lengths[w];
  float sum = 0;
  for (int t = 0; t < count; ++t) sum += a.rows[(long long)a.index[w * a.frames + t] * a.mels + m];
  a.y[(long long)w * a.row_stride + m] = sum / (float)count;
}

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_KERNELS_CUH_
