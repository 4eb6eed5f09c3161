#include "models/cuda/gpu_network.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace hearwire {
namespace {

int RoundUp8(int channels) { return (channels + 7) / 8 * 8; }

// Lays layers out one after the other. Their addresses are offsets until Place.
class Packer {
 public:
  GpuLayer Pointwise(const std::vector<float>& weight, const std::vector<float>& bias, int terms, int channels_out) {
    GpuLayer layer = Begin(terms, channels_out);
    float* const values = Add(&layer.weight, size_t{1} * terms * layer.channels);
    for (int out = 0; out < channels_out; ++out) {
      for (int in = 0; in < terms; ++in) {
        values[size_t{1} * in * layer.channels + out] = weight[size_t{1} * out * terms + in];
      }
    }
    return End(layer, bias);
  }
  GpuLayer Pointwise(const ConvolutionWeights& w) { return Pointwise(w.weight, w.bias, w.in_channels, w.out_channels); }
  GpuLayer Pointwise(const LinearWeights& w) { return Pointwise(w.weight, w.bias, w.in_channels, w.out_channels); }

  // One channel in each group.
  GpuLayer Taps(const ConvolutionWeights& w) {
    GpuLayer layer = Begin(w.kernel * w.kernel, w.out_channels);
    float* const values = Add(&layer.weight, size_t{1} * layer.terms * layer.channels);
    for (int c = 0; c < w.out_channels; ++c) {
      for (int mel = 0; mel < w.kernel; ++mel) {
        for (int time = 0; time < w.kernel; ++time) {
          values[(time * w.kernel + mel) * layer.channels + c] = w.weight[(c * w.kernel + mel) * w.kernel + time];
        }
      }
    }
    return End(layer, w.bias);
  }

  const std::vector<float>& values() const { return values_; }

  static void Place(GpuLayer& layer, GpuAddress base) {
    layer.weight = reinterpret_cast<const float*>(base + reinterpret_cast<uintptr_t>(layer.weight));
    layer.bias = reinterpret_cast<const float*>(base + reinterpret_cast<uintptr_t>(layer.bias));
  }

 private:
  static GpuLayer Begin(int terms, int channels_out) {
    return {.terms = terms, .channels = RoundUp8(channels_out), .channels_out = channels_out};
  }
  // Valid until the next Add. Channels are multiples of 8, so that every layer begins at a multiple of 32 bytes.
  float* Add(const float** offset, size_t count) {
    *offset = reinterpret_cast<const float*>(values_.size() * sizeof(float));
    values_.resize(values_.size() + count);
    return values_.data() + values_.size() - count;
  }
  GpuLayer End(GpuLayer layer, const std::vector<float>& bias) {
    std::copy(bias.begin(), bias.end(), Add(&layer.bias, layer.channels));
    return layer;
  }

  std::vector<float> values_;
};

template <typename Visitor>
void ForEachLayer(GpuNetwork& network, Visitor visit) {
  visit(network.stem);
  for (GpuBlock& block : network.blocks) {
    if (block.expansion) visit(*block.expansion);
    visit(block.depthwise);
    if (block.fc1) visit(*block.fc1);
    if (block.fc2) visit(*block.fc2);
    visit(block.projection);
  }
  visit(network.last);
  if (network.hidden) visit(*network.hidden);
  visit(network.classes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GpuNetwork>> MakeGpuNetwork(Gpu& gpu, const NetworkWeights& weights, int mels) {
  auto network = std::make_unique<GpuNetwork>(gpu);
  network->shape = weights.shape;
  network->mels = mels;
  Packer packer;
  network->stem = packer.Taps(weights.stem);
  for (size_t i = 0; i < weights.blocks.size(); ++i) {
    const BlockWeights& from = weights.blocks[i];
    GpuBlock& block = network->blocks[i];
    if (from.expansion) block.expansion = packer.Pointwise(*from.expansion);
    block.depthwise = packer.Taps(from.depthwise);
    if (from.squeeze_excite) {
      block.fc1 = packer.Pointwise(from.squeeze_excite->fc1);
      block.fc2 = packer.Pointwise(from.squeeze_excite->fc2);
    }
    block.projection = packer.Pointwise(from.projection);
  }
  network->last = packer.Pointwise(weights.last);
  if (weights.head == HeadKind::kMlp) network->hidden = packer.Pointwise(weights.hidden_layer);
  network->classes = packer.Pointwise(weights.class_layer);

  const size_t bytes = packer.values().size() * sizeof(float);
  if (absl::Status status = network->memory.Reserve(bytes); !status.ok()) return status;
  ForEachLayer(*network, [&](GpuLayer& layer) { Packer::Place(layer, network->memory.address()); });

  HostMemory staging(gpu);
  if (absl::Status status = staging.Reserve(bytes); !status.ok()) return status;
  std::copy(packer.values().begin(), packer.values().end(), staging.as<float>());
  const absl::StatusOr<std::unique_ptr<GpuStream>> stream = gpu.NewStream();
  if (!stream.ok()) return stream.status();
  absl::Status status = (*stream)->CopyIn(network->memory.address(), staging.as<float>(), bytes);
  status.Update((*stream)->Wait());
  if (!status.ok()) return status;
  return network;
}

}  // namespace hearwire
