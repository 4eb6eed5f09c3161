#include "models/native/wide_pass.h"

#include <algorithm>

namespace hearwire {
namespace {

// For some of block 2's expanded channels: with what they are made from and become they share the first-level cache.
constexpr size_t kPieceBytes = size_t{18} * 1024;

// Output rows of block 2 at a time. The row of expanded channels before them is computed once more.
int RowsAtOnce(size_t expanded_row_floats) {
  const int rows = static_cast<int>(kPieceBytes / (expanded_row_floats * sizeof(float)));
  return std::max(1, (rows - 1) / 2);
}

// Null: outside the window.
const float* FindFrame(const Window& window, int index) {
  if (index < 0) return nullptr;
  for (const Window::Run& run : window.runs) {
    if (index < run.frame_count) return run.frames + static_cast<size_t>(index) * static_cast<size_t>(window.mels);
    index -= run.frame_count;
  }
  return nullptr;
}

// Rows of planes, [rows, channels, 2 half], to [rows, cols, stride].
void PutChannelsLast(const float* planes, int rows, int cols, size_t channels, size_t half, size_t stride, float* out) {
  for (int row = 0; row < rows; ++row, planes += channels * 2 * half) {
    for (size_t col = 0; col < static_cast<size_t>(cols); ++col, out += stride) {
      const float* in = planes + col % 2 * half + col / 2;
      for (size_t channel = 0; channel < channels; ++channel, in += 2 * half) out[channel] = *in;
      std::fill(out + channels, out + stride, 0.0f);
    }
  }
}

}  // namespace

void WidePass::RunStem(const StemWeights& stem, const Window& window, int first, int end, size_t half, float* out) {
  const size_t stride = kernels_.lanes + 4 * half;
  const int first_frame = 2 * first - 1;
  const int end_frame = 2 * end;
  float* const rows = spectrogram_.Reserve(static_cast<size_t>(end_frame - first_frame) * stride);
  float* row = rows;
  for (int i = first_frame; i < end_frame; ++i, row += stride) {
    const float* const frame = FindFrame(window, i);
    if (frame == nullptr) {
      std::fill_n(row, stride, 0.0f);
    } else {
      kernels_.quarter_row(frame, static_cast<size_t>(window.mels), half, row);
    }
  }
  kernels_.stem(stem, {.in = rows, .half = half, .out_rows = end - first, .out = out});
}

void WidePass::Run(const PackedWideBlocks& blocks, const Window& window, const WideMaps& maps) {
  const MapSize wide = MapSize{window.frame_count(), window.mels}.Strided(2);
  const MapSize out = wide.Strided(2);
  const size_t half = kernels_.Half(wide.cols);
  const size_t channels = blocks.stem.channels;  // Block 1's too.
  const size_t row_floats = channels * 2 * half;
  const size_t expanded_row = blocks.expanded2.front().depthwise.channels * 2 * half;  // Of a piece; all are equal.
  const size_t out_row = blocks.projection2.in_channels * half;
  const int rows_at_once = std::min(out.rows, RowsAtOnce(expanded_row));

  stem_.Start(row_floats, 2 * rows_at_once + 2);
  block1_.Start(row_floats, 2 * rows_at_once + 1);
  depthwise1_.Reserve(2 * static_cast<size_t>(rows_at_once) * row_floats);
  expanded_.Reserve(static_cast<size_t>(2 * rows_at_once + 1) * expanded_row);
  float* const depthwise2 = depthwise2_.Reserve(static_cast<size_t>(rows_at_once) * out_row);

  for (int row = 0; row < out.rows; row += rows_at_once) {
    const int end = std::min(out.rows, row + rows_at_once);
    // Block 2's kernel reaches a row up and a row down.
    RunBlock1(blocks, window, half, std::max(0, 2 * row - 1), std::min(wide.rows, 2 * end), maps);
    if (maps.block2 == nullptr) continue;
    size_t first_channel = 0;
    for (const PackedWideBlocks::Expanded& piece : blocks.expanded2) {
      if (piece.expansion) {
        kernels_.planes_pointwise(*piece.expansion, {.in = block1_.row(block1_.first()),
                                                     .rows = block1_.end() - block1_.first(),
                                                     .width = 2 * half,
                                                     .activation = blocks.activation2,
                                                     .out = expanded_.data()});
      }
      kernels_.planes_depthwise(piece.depthwise,
                                {.in = piece.expansion ? expanded_.data() : block1_.row(block1_.first()),
                                 .half = half,
                                 .first_in_row = block1_.first(),
                                 .in_rows = wide.rows,
                                 .in_cols = wide.cols,
                                 .first_out_row = row,
                                 .end_out_row = end,
                                 .activation = blocks.activation2,
                                 .out = depthwise2 + first_channel * half,
                                 .out_stride = out_row});
      first_channel += piece.depthwise.channels;
    }
    const size_t cols = static_cast<size_t>(out.cols);
    for (int i = row; i < end; ++i) {
      products_.Run(blocks.projection2,
                    {.in = depthwise2 + static_cast<size_t>(i - row) * out_row,
                     .in_half = half,
                     .rows = cols,
                     .out = maps.block2 + static_cast<size_t>(i) * cols * blocks.projection2.out_stride});
    }
  }
}

void WidePass::RunBlock1(const PackedWideBlocks& blocks, const Window& window, size_t half, int first_kept, int end,
                         const WideMaps& maps) {
  const MapSize size = MapSize{window.frame_count(), window.mels}.Strided(2);
  const int first = block1_.end();
  const int first_stem = stem_.end();
  const int end_stem = std::min(size.rows, end + 1);  // As far as the kernel reaches.
  float* const stem = stem_.Advance(std::max(0, first - 1), end_stem);
  RunStem(blocks.stem, window, first_stem, end_stem, half, stem);
  const auto put = [&](const float* rows, int first_row, int end_row, float* map) {
    if (map == nullptr) return;
    const size_t stride = kernels_.Pad(blocks.stem.channels);
    PutChannelsLast(rows, end_row - first_row, size.cols, blocks.stem.channels, half, stride,
                    map + static_cast<size_t>(first_row) * static_cast<size_t>(size.cols) * stride);
  };
  put(stem, first_stem, end_stem, maps.stem);
  float* const block1 = block1_.Advance(first_kept, end);
  if (maps.block1 == nullptr && maps.block2 == nullptr) return;
  kernels_.planes_depthwise(blocks.depthwise1, {.in = stem_.row(stem_.first()),
                                                .half = half,
                                                .first_in_row = stem_.first(),
                                                .in_rows = size.rows,
                                                .in_cols = size.cols,
                                                .first_out_row = first,
                                                .end_out_row = end,
                                                .activation = blocks.activation1,
                                                .out = depthwise1_.data(),
                                                .out_stride = blocks.stem.channels * 2 * half});
  kernels_.planes_pointwise(
      blocks.projection1,
      {.in = depthwise1_.data(), .rows = end - first, .width = 2 * half, .residual = stem_.row(first), .out = block1});
  put(block1, first, end, maps.block1);
}

}  // namespace hearwire
