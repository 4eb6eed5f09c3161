// A network's weights on a GPU, laid out for its kernels.

#ifndef HEARWIRE_MODELS_CUDA_GPU_NETWORK_H_
#define HEARWIRE_MODELS_CUDA_GPU_NETWORK_H_

#include <array>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "models/checkpoint/network_weights.h"
#include "models/cuda/gpu_memory.h"

namespace hearwire {

// A 1 x 1 convolution, a linear layer, or a convolution over maps: what a kernel reads.
struct GpuLayer {
  const float* weight = nullptr;  // [terms, channels]; depthwise and stem: [kernel * kernel, channels], time then mels.
  const float* bias = nullptr;    // [channels]
  int terms = 0;
  int channels = 0;      // A multiple of 8, filled up with zeros.
  int channels_out = 0;  // Without what it was filled up with.
};

struct GpuBlock {
  std::optional<GpuLayer> expansion;
  GpuLayer depthwise;
  std::optional<GpuLayer> fc1, fc2;  // Squeeze-excite.
  GpuLayer projection;
};

// Read-only, shared by all streams.
struct GpuNetwork {
  explicit GpuNetwork(Gpu& gpu) : memory(gpu) {}

  NetworkShape shape = {};
  int mels = 0;
  GpuLayer stem;
  std::array<GpuBlock, kBlockCount - 1> blocks;  // blocks[i] is block i + 1.
  GpuLayer last;
  std::optional<GpuLayer> hidden;  // Of the mlp head.
  GpuLayer classes;
  GpuMemory memory;
};

// Copies the weights to the GPU, and waits for it.
absl::StatusOr<std::unique_ptr<GpuNetwork>> MakeGpuNetwork(Gpu& gpu, const NetworkWeights& weights, int mels);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_GPU_NETWORK_H_
