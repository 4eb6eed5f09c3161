#include "models/configs/network_shape.h"

#include <algorithm>

namespace hearwire {
namespace {

struct LargeBlock {
  int kernel;
  int expanded_channels;
  int out_channels;
  bool squeeze_excite;
  bool hardswish;
  int stride;
};

// MobileNetV3-Large at width 1 (Howard et al. 2019, table 1).
constexpr int kStemChannels = 16;
constexpr LargeBlock kLargeBlocks[kBlockCount - 1] = {
    {3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
    {5, 72, 40, true, false, 2},  {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
    {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1},
    {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
    {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1},
};
constexpr int kHiddenChannels = 1280;
constexpr int kLastExpansion = 6;
constexpr int kSqueezeReduction = 4;

// The multiple of 8 nearest to `channels` (half rounds up), the next one where that is below 90 % of it, at least 8.
int RoundChannels(double channels) {
  const int rounded = std::max(8, static_cast<int>(channels + 4) / 8 * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

}  // namespace

NetworkShape MakeNetworkShape(double width, int class_count) {
  NetworkShape shape;
  shape.stem_channels = RoundChannels(kStemChannels * width);
  int in_channels = shape.stem_channels;
  for (size_t i = 0; i < shape.blocks.size(); ++i) {
    const LargeBlock& large = kLargeBlocks[i];
    const int expanded_channels = RoundChannels(large.expanded_channels * width);
    const int squeezed_channels = expanded_channels / kSqueezeReduction;  // Rounded down, as published.
    shape.blocks[i] = {.in_channels = in_channels,
                       .expanded_channels = expanded_channels,
                       .out_channels = RoundChannels(large.out_channels * width),
                       .kernel = large.kernel,
                       .stride = large.stride,
                       .squeeze_channels = large.squeeze_excite ? RoundChannels(squeezed_channels) : 0,
                       .hardswish = large.hardswish};
    in_channels = shape.blocks[i].out_channels;
  }
  shape.last_channels = kLastExpansion * in_channels;
  shape.hidden_channels = RoundChannels(kHiddenChannels * width);
  shape.class_count = class_count;
  return shape;
}

int BlockOutputSize(int block, int size) {
  // A convolution of an odd kernel, padded by half of it, leaves one value per stride, the last stride may be partial.
  size = (size + 1) / 2;
  for (int i = 0; i < block; ++i) size = (size + kLargeBlocks[i].stride - 1) / kLargeBlocks[i].stride;
  return size;
}

int FeatureSize(const NetworkShape& shape, int n_mels, Feature feature, Pooling pooling) {
  const int index = static_cast<int>(feature);
  if (feature == Feature::kMelAvgs) return n_mels;
  if (feature == Feature::kClf1) return shape.last_channels;
  if (feature == Feature::kClf2) return shape.hidden_channels;
  if (feature == Feature::kLogits) return shape.class_count;
  if (feature < Feature::kBlock0) {
    const int block = index - static_cast<int>(Feature::kSe0);
    return block == 0 ? 0 : shape.blocks[block - 1].squeeze_channels;
  }
  const int block = index - static_cast<int>(Feature::kBlock0);
  const int channels = block == 0 ? shape.stem_channels : shape.blocks[block - 1].out_channels;
  switch (pooling) {
    case Pooling::kAvgCh:
    case Pooling::kMaxCh:
    case Pooling::kAddAvgMaxCh:
      return channels;
    case Pooling::kCatAvgMaxCh:
      return 2 * channels;
    case Pooling::kAvgTime:
    case Pooling::kAvgMaxTime:
      return channels * BlockOutputSize(block, n_mels);
  }
  return 0;
}

int ReadoutSize(const NetworkShape& shape, int n_mels, const Readout& readout) {
  int size = 0;
  for (int i = 0; i < static_cast<int>(Feature::kEnd); ++i) {
    const Feature feature = static_cast<Feature>(i);
    if (readout.features.Has(feature)) size += FeatureSize(shape, n_mels, feature, readout.pooling);
  }
  return size;
}

int RowSize(const NetworkShape& shape, int n_mels, absl::Span<const Readout> readouts) {
  int size = 0;
  for (const Readout& readout : readouts) size += ReadoutSize(shape, n_mels, readout);
  return size;
}

}  // namespace hearwire
