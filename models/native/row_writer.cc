#include "models/native/row_writer.h"

#include <algorithm>

namespace hearwire {

const RowWriter::Offsets& RowWriter::OffsetsOf(const Readout& readout) {
  for (const Layout& layout : layouts_) {
    if (layout.readout == readout) return layout.offsets;
  }
  Layout layout{.readout = readout, .offsets = {}};
  int offset = 0;
  for (size_t i = 0; i < layout.offsets.size(); ++i) {
    const Feature feature = static_cast<Feature>(i);
    layout.offsets[i] = offset;
    if (readout.features.Has(feature)) offset += FeatureSize(shape_, n_mels_, feature, readout.pooling);
  }
  layouts_.push_back(layout);
  return layouts_.back().offsets;
}

float* RowWriter::Place(const WindowRequest& request, Feature feature) {
  return request.row + OffsetsOf(request.readout)[static_cast<size_t>(feature)];
}

void RowWriter::WriteVector(const WindowRequest& request, Feature feature, const float* values) {
  std::copy_n(values, FeatureSize(shape_, n_mels_, feature, request.readout.pooling), Place(request, feature));
}

void RowWriter::WriteMelAverages(const WindowRequest& request) {
  // Sums of a few frames are added to the total, so that long windows lose no precision.
  constexpr int kFramesAtOnce = 32;
  const size_t mels = static_cast<size_t>(n_mels_);
  float* const total = sums_.Reserve(mels);
  float* const sum = maxima_.Reserve(mels);
  std::fill_n(total, mels, 0.0f);
  std::fill_n(sum, mels, 0.0f);
  int frame = 0;
  const int frame_count = request.window.frame_count();
  for (const Window::Run& run : request.window.runs) {
    for (int i = 0; i < run.frame_count; ++i) {
      const float* const values = run.frames + static_cast<size_t>(i) * mels;
      for (size_t mel = 0; mel < mels; ++mel) sum[mel] += values[mel];
      ++frame;
      if (frame % kFramesAtOnce != 0 && frame != frame_count) continue;
      for (size_t mel = 0; mel < mels; ++mel) total[mel] += sum[mel];
      std::fill_n(sum, mels, 0.0f);
    }
  }
  float* const to = Place(request, Feature::kMelAvgs);
  for (size_t mel = 0; mel < mels; ++mel) to[mel] = total[mel] / static_cast<float>(frame_count);
}

void RowWriter::WriteBlock(const WindowRequest& request, int block, const float* map, MapSize size, size_t stride) {
  const Pooling pooling = request.readout.pooling;
  const size_t cols = static_cast<size_t>(size.cols);
  const size_t n = cols * stride;
  const size_t channels = static_cast<size_t>(FeatureSize(shape_, n_mels_, Block(block), Pooling::kAvgCh));
  float* to = Place(request, Block(block));

  const bool averages = pooling != Pooling::kMaxCh;
  const bool maximises = pooling != Pooling::kAvgCh && pooling != Pooling::kAvgTime;
  float* const sums = averages ? sums_.Reserve(n) : nullptr;
  float* const maxima = maximises ? maxima_.Reserve(n) : nullptr;
  kernels_.reduce_rows(map, static_cast<size_t>(size.rows), n, sums, maxima);

  if (pooling == Pooling::kAvgTime || pooling == Pooling::kAvgMaxTime) {
    const float rows = static_cast<float>(size.rows);
    for (size_t channel = 0; channel < channels; ++channel) {
      for (size_t col = 0; col < cols; ++col) {
        const size_t i = col * stride + channel;
        *to++ = sums[i] / rows + (maximises ? maxima[i] : 0.0f);
      }
    }
    return;
  }
  float* const total = totals_.Reserve(2 * stride);
  float* const maximum = total + stride;
  if (averages) kernels_.reduce_rows(sums, cols, stride, total, nullptr);
  if (maximises) kernels_.reduce_rows(maxima, cols, stride, nullptr, maximum);
  const float pixels = static_cast<float>(size.pixels());
  for (size_t i = 0; i < channels; ++i) {
    if (pooling == Pooling::kMaxCh) {
      to[i] = maximum[i];
    } else if (pooling == Pooling::kAddAvgMaxCh) {
      to[i] = total[i] / pixels + maximum[i];
    } else {
      to[i] = total[i] / pixels;
      if (pooling == Pooling::kCatAvgMaxCh) to[channels + i] = maximum[i];
    }
  }
}

}  // namespace hearwire
