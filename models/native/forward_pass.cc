#include "models/native/forward_pass.h"

#include <algorithm>
#include <utility>

namespace hearwire {
namespace {

constexpr int kLastEarlyBlock = 6;

// Pixels of the first map, and of the first late one, that make a tile.
constexpr size_t kEarlyTilePixels = 2048;
constexpr size_t kLateTilePixels = 1024;

int WindowsPerTile(size_t tile_pixels, MapSize size) {
  return static_cast<int>(std::max<size_t>(1, tile_pixels / size.pixels()));
}

// How many of the windows, the deepest first, go at least as far.
int CountDeep(absl::Span<const PassWindow> windows, int depth) {
  const auto end = std::partition_point(windows.begin(), windows.end(),
                                        [depth](const PassWindow& window) { return window.depth >= depth; });
  return static_cast<int>(end - windows.begin());
}

MapSize SizeOfBlock(int block, MapSize spectrogram) {
  return {BlockOutputSize(block, spectrogram.rows), BlockOutputSize(block, spectrogram.cols)};
}

int DepthOf(FeatureSet features) {
  if (features.NeedsHead()) return kHeadDepth;
  if (features.NeedsLastConvolution()) return kLastConvolutionDepth;
  return features.LastBlock() + 1;
}

}  // namespace

PassWindow::PassWindow(const WindowRequest& window) : request(&window), frames(window.window.frame_count()) {
  for (const Readout& readout : window.readouts) features = features | readout.features;
  depth = DepthOf(features);
}

void ForwardPass::Run(Windows windows) {
  for (const PassWindow& window : windows) {
    if (window.features.Has(Feature::kMelAvgs)) writer_.WriteMelAverages(*window.request);
  }
  const MapSize spectrogram{windows[0].frames, network_.mel.n_mels};
  const MapSize late_in = SizeOfBlock(kLastEarlyBlock, spectrogram);
  const size_t late_window = late_in.pixels() * network_.block(kLastEarlyBlock).projection.out_stride;
  const size_t early_tile = static_cast<size_t>(WindowsPerTile(kEarlyTilePixels, SizeOfBlock(0, spectrogram)));
  const size_t late_tile =
      static_cast<size_t>(WindowsPerTile(kLateTilePixels, SizeOfBlock(kLastEarlyBlock + 1, spectrogram)));
  windows = windows.subspan(0, static_cast<size_t>(CountDeep(windows, 1)));
  for (size_t first = 0; first < windows.size(); first += late_tile) {
    const Windows tile = windows.subspan(first, late_tile);
    float* const late = workspace_.late[0].Reserve(std::min(late_tile, tile.size()) * late_window);
    for (size_t i = 0; i < tile.size(); i += early_tile) {
      RunEarlyBlocks(tile.subspan(i, early_tile), late + i * late_window);
    }
    RunLateBlocks(tile, late_in, late);
  }
}

void ForwardPass::RunWideBlocks(const PassWindow& window, float* out) {
  const MapSize size = SizeOfBlock(0, {window.frames, network_.mel.n_mels});
  const size_t stride = kernels_.Pad(network_.wide.stem.channels);
  float* maps[2] = {};
  for (int index = 0; index < 2; ++index) {
    if (!window.features.Has(Block(index))) continue;
    maps[index] = workspace_.wide_maps[index].Reserve(size.pixels() * stride);
  }
  const bool goes_on = window.depth > kLastWideBlock;
  workspace_.wide.Run(network_.wide, window.request->window,
                      {.stem = maps[0], .block1 = maps[1], .block2 = goes_on ? out : nullptr});
  for (int index = 0; index < 2; ++index) {
    if (maps[index] != nullptr) writer_.WriteBlock(*window.request, index, maps[index], size, stride);
  }
}

void ForwardPass::WriteBlockOutputs(Windows windows, int index, MapSize size, size_t stride, const float* map) {
  for (const PassWindow& window : windows) {
    if (window.features.Has(Block(index))) writer_.WriteBlock(*window.request, index, map, size, stride);
    map += size.pixels() * stride;
  }
}

int ForwardPass::RunBlock(Windows windows, int index, MapSize size, const float* in, float* out) {
  const int count = CountDeep(windows, index + 1);
  if (count == 0) return 0;
  windows = windows.subspan(0, static_cast<size_t>(count));
  const PackedBlock& block = network_.block(index);
  workspace_.blocks.Run(block, size, count, in, out);
  for (int i = 0; block.squeeze_excite && i < count; ++i) {
    const PassWindow& window = windows[static_cast<size_t>(i)];
    if (window.features.Has(Se(index))) writer_.WriteVector(*window.request, Se(index), workspace_.blocks.squeeze(i));
  }
  WriteBlockOutputs(windows, index, size.Strided(block.stride()), block.projection.out_stride, out);
  return count;
}

void ForwardPass::RunEarlyBlocks(Windows windows, float* out) {
  const MapSize spectrogram{windows[0].frames, network_.mel.n_mels};
  MapSize size = SizeOfBlock(kLastWideBlock, spectrogram);
  const size_t wide_stride = network_.wide.projection2.out_stride;
  size_t floats = size.pixels() * wide_stride;
  for (int index = kLastWideBlock + 1; index < kLastEarlyBlock; ++index) {
    floats = std::max(floats, SizeOfBlock(index, spectrogram).pixels() * network_.block(index).projection.out_stride);
  }
  float* in = workspace_.early[0].Reserve(windows.size() * floats);
  float* next = workspace_.early[1].Reserve(windows.size() * floats);

  for (size_t i = 0; i < windows.size(); ++i) RunWideBlocks(windows[i], in + i * size.pixels() * wide_stride);
  WriteBlockOutputs(windows, kLastWideBlock, size, wide_stride, in);
  for (int index = kLastWideBlock + 1; index <= kLastEarlyBlock; ++index) {
    float* const to = index == kLastEarlyBlock ? out : next;
    if (RunBlock(windows, index, size, in, to) == 0) return;
    size = size.Strided(network_.block(index).stride());
    std::swap(in, next);
  }
}

void ForwardPass::RunLateBlocks(Windows windows, MapSize size, float* in) {
  size_t floats = 0;
  MapSize later = size;
  for (int index = kLastEarlyBlock + 1; index < kBlockCount; ++index) {
    const PackedBlock& block = network_.block(index);
    later = later.Strided(block.stride());
    floats = std::max(floats, windows.size() * later.pixels() * block.projection.out_stride);
  }
  float* out = workspace_.late[1].Reserve(floats);
  float* next = workspace_.late[2].Reserve(floats);
  for (int index = kLastEarlyBlock + 1; index < kBlockCount; ++index) {
    if (RunBlock(windows, index, size, in, out) == 0) return;
    size = size.Strided(network_.block(index).stride());
    in = out;
    std::swap(out, next);
  }
  RunHead(windows, size, in);
}

void ForwardPass::RunHead(Windows windows, MapSize size, const float* in) {
  windows = windows.subspan(0, static_cast<size_t>(CountDeep(windows, kLastConvolutionDepth)));
  if (windows.empty()) return;
  const size_t pixels = size.pixels();
  const size_t stride = network_.last.out_stride;
  float* const last = workspace_.last.Reserve(windows.size() * pixels * stride);
  float* const pooled = workspace_.pooled.Reserve(windows.size() * stride);
  workspace_.products.Run(
      network_.last, {.in = in, .rows = windows.size() * pixels, .activation = Activation::kHardswish, .out = last});
  for (size_t i = 0; i < windows.size(); ++i) {
    kernels_.reduce_rows(last + i * pixels * stride, pixels, stride, pooled + i * stride, nullptr);
  }
  for (size_t i = 0; i < windows.size() * stride; ++i) pooled[i] /= static_cast<float>(pixels);
  auto write = [&](Feature feature, const float* values, size_t values_stride) {
    for (size_t i = 0; i < windows.size(); ++i) {
      if (!windows[i].features.Has(feature)) continue;
      writer_.WriteVector(*windows[i].request, feature, values + i * values_stride);
    }
  };
  write(Feature::kClf1, pooled, stride);

  windows = windows.subspan(0, static_cast<size_t>(CountDeep(windows, kHeadDepth)));
  if (windows.empty()) return;
  const float* hidden = pooled;
  if (network_.head == HeadKind::kMlp) {
    float* const values = workspace_.hidden.Reserve(windows.size() * network_.hidden_layer.out_stride);
    workspace_.products.Run(
        network_.hidden_layer,
        {.in = pooled, .rows = windows.size(), .activation = Activation::kHardswish, .out = values});
    write(Feature::kClf2, values, network_.hidden_layer.out_stride);
    hidden = values;
  }
  float* const logits = workspace_.logits.Reserve(windows.size() * network_.class_layer.out_stride);
  workspace_.products.Run(network_.class_layer, {.in = hidden, .rows = windows.size(), .out = logits});
  write(Feature::kLogits, logits, network_.class_layer.out_stride);
}

}  // namespace hearwire
