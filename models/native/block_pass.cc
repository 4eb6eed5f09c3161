#include "models/native/block_pass.h"

#include <algorithm>

namespace hearwire {
namespace {

// For a piece's expanded channels: with their depthwise outputs and the weights they share the second-level cache,
// which holds a megabyte or more.
constexpr size_t kPieceBytes = size_t{512} * 1024;

size_t ExpandedStride(const PackedBlock& block) { return block.depthwise.channel_stride; }

}  // namespace

BlockPass::Pieces BlockPass::CutIntoPieces(const PackedBlock& block, MapSize size) const {
  const size_t row_bytes = static_cast<size_t>(size.cols) * ExpandedStride(block) * sizeof(float);
  const int rows = static_cast<int>(std::max<size_t>(1, kPieceBytes / row_bytes));
  const MapSize out_size = size.Strided(block.stride());
  if (rows >= size.rows) return {.windows = rows / size.rows, .out_rows = out_size.rows};
  return {.windows = 1, .out_rows = std::max(1, (rows - block.kernel()) / block.stride() + 1)};
}

void BlockPass::Run(const PackedBlock& block, MapSize size, int windows, const float* in, float* out) {
  const Pieces pieces = CutIntoPieces(block, size);
  const size_t in_stride = block.expansion ? block.expansion->in_stride : ExpandedStride(block);
  const size_t in_window = size.pixels() * in_stride;
  const size_t out_window = size.Strided(block.stride()).pixels() * block.projection.out_stride;
  float* squeeze = nullptr;
  if (block.squeeze_excite) {
    squeeze_stride_ = block.squeeze_excite->fc1.out_stride;
    squeeze = squeeze_.Reserve(static_cast<size_t>(windows) * squeeze_stride_);
  }
  for (int window = 0; window < windows; window += pieces.windows) {
    const int count = std::min(pieces.windows, windows - window);
    const size_t first = static_cast<size_t>(window);
    RunWindows(block, size, count, pieces.out_rows, in + first * in_window, out + first * out_window,
               squeeze == nullptr ? nullptr : squeeze + first * squeeze_stride_);
  }
}

void BlockPass::RunWindows(const PackedBlock& block, MapSize size, int windows, int piece_rows, const float* in,
                           float* out, float* squeeze) {
  const MapSize out_size = size.Strided(block.stride());
  const size_t stride = ExpandedStride(block);
  const size_t in_row = static_cast<size_t>(size.cols) * stride;
  const size_t out_row = static_cast<size_t>(out_size.cols) * stride;
  const size_t projected_row = static_cast<size_t>(out_size.cols) * block.projection.out_stride;
  const bool squeezes = block.squeeze_excite.has_value();
  const size_t count = static_cast<size_t>(windows);

  float* means = nullptr;
  if (squeezes) {
    means = means_.Reserve(count * stride);
    std::fill_n(means, count * stride, 0.0f);
  }
  // Squeeze-excite needs all of a window's outputs before the first can be projected.
  const int kept_rows = squeezes ? out_size.rows : piece_rows;
  float* const depthwise = depthwise_.Reserve(count * static_cast<size_t>(kept_rows) * out_row);

  if (block.expansion) {
    const int most_rows = std::min(size.rows, (piece_rows - 1) * block.stride() + block.kernel());
    expanded_.Start(in_row, windows * most_rows);
  }
  for (int row = 0; row < out_size.rows; row += piece_rows) {
    const int end_row = std::min(out_size.rows, row + piece_rows);
    const int first_in = std::max(0, row * block.stride() - block.kernel() / 2);
    const int end_in = std::min(size.rows, (end_row - 1) * block.stride() - block.kernel() / 2 + block.kernel());
    const Expanded expanded = Expand(block, size, windows, first_in, end_in, in);
    float* const piece = depthwise + (squeezes ? static_cast<size_t>(row) * out_row : 0);
    kernels_.depthwise(block.depthwise, {.in = expanded.rows,
                                         .first_in_row = expanded.first,
                                         .in_rows = size.rows,
                                         .in_cols = size.cols,
                                         .first_out_row = row,
                                         .end_out_row = end_row,
                                         .out_cols = out_size.cols,
                                         .windows = windows,
                                         .in_window = static_cast<size_t>(size.rows) * in_row,
                                         .out_window = static_cast<size_t>(out_size.rows) * out_row,
                                         .activation = block.activation,
                                         .out = piece,
                                         .means = means,
                                         .mean_scale = 1.0f / static_cast<float>(out_size.pixels())});
    if (squeezes) continue;
    const size_t place = static_cast<size_t>(row) * projected_row;
    products_.Run(block.projection,
                  {.in = piece,
                   .rows = count * static_cast<size_t>(end_row - row) * static_cast<size_t>(out_size.cols),
                   .residual = block.has_residual ? in + place : nullptr,
                   .out = out + place});
  }
  if (squeezes) SqueezeAndProject(block, out_size, windows, block.has_residual ? in : nullptr, out, squeeze);
}

BlockPass::Expanded BlockPass::Expand(const PackedBlock& block, MapSize size, int windows, int first_row, int end_row,
                                      const float* in) {
  const size_t cols = static_cast<size_t>(size.cols);
  if (!block.expansion) return {in + static_cast<size_t>(first_row) * cols * ExpandedStride(block), first_row};
  // Pieces of several windows are whole windows: nothing is kept of them.
  const int first_new = std::max(first_row, expanded_.end());
  float* const to = expanded_.Advance(first_row, end_row);
  products_.Run(*block.expansion,
                {.in = in + static_cast<size_t>(first_new) * cols * block.expansion->in_stride,
                 .rows = static_cast<size_t>(windows) * static_cast<size_t>(end_row - first_new) * cols,
                 .activation = block.activation,
                 .out = to});
  return {expanded_.row(first_row), first_row};
}

void BlockPass::SqueezeAndProject(const PackedBlock& block, MapSize out_size, int windows, const float* residual,
                                  float* out, float* squeeze) {
  const PackedBlock::SqueezeExcite& layers = *block.squeeze_excite;
  const size_t count = static_cast<size_t>(windows);
  const size_t stride = ExpandedStride(block);
  const size_t pixels = out_size.pixels();

  products_.Run(layers.fc1, {.in = means_.data(), .rows = count, .out = squeeze});
  float* const hidden = hidden_.Reserve(count * layers.fc1.out_stride);
  for (size_t i = 0; i < count * layers.fc1.out_stride; ++i) hidden[i] = std::max(squeeze[i], 0.0f);
  float* const gates = gates_.Reserve(count * stride);
  products_.Run(layers.fc2, {.in = hidden, .rows = count, .out = gates});
  kernels_.sigmoid(gates, count * stride);

  float* const activations = depthwise_.data();
  const size_t out_window = pixels * block.projection.out_stride;
  if (block.projection.pairs.size() > 0) {
    // Gates multiply activations on their way to bfloat16.
    products_.Run(block.projection, {.in = activations,
                                     .rows = count * pixels,
                                     .factors = gates,
                                     .rows_per_factors = pixels,
                                     .residual = residual,
                                     .out = out});
    return;
  }
  // Gates multiply a window's activations or, where those are more, the weights they meet.
  if (pixels < 4 * block.projection.out_stride) {
    for (size_t window = 0; window < count; ++window) {
      kernels_.multiply_rows(activations + window * pixels * stride, pixels, stride, gates + window * stride);
    }
    products_.Run(block.projection, {.in = activations, .rows = count * pixels, .residual = residual, .out = out});
    return;
  }
  float* const weights = gated_weights_.Reserve(block.projection.weight.size());
  for (size_t window = 0; window < count; ++window) {
    kernels_.scale_weights(block.projection, gates + window * stride, weights);
    products_.Run(block.projection, {.in = activations + window * pixels * stride,
                                     .rows = pixels,
                                     .weight = weights,
                                     .residual = residual == nullptr ? nullptr : residual + window * out_window,
                                     .out = out + window * out_window});
  }
}

}  // namespace hearwire
