#include "models/native/row_writer.h"

#include <algorithm>

namespace hearwire {

namespace {

// What is reduced of a block's map under a pooling.
bool Averages(Pooling pooling) { return pooling != Pooling::kMaxCh; }
bool Maximises(Pooling pooling) { return pooling != Pooling::kAvgCh && pooling != Pooling::kAvgTime; }
bool KeepsMels(Pooling pooling) { return pooling == Pooling::kAvgTime || pooling == Pooling::kAvgMaxTime; }

}  // namespace

const RowWriter::Layout& RowWriter::LayoutOf(const Readout& readout) {
  for (const Layout& layout : layouts_) {
    if (layout.readout == readout) return layout;
  }
  Layout layout{.readout = readout, .offsets = {}, .size = 0};
  for (size_t i = 0; i < layout.offsets.size(); ++i) {
    const Feature feature = static_cast<Feature>(i);
    layout.offsets[i] = layout.size;
    if (readout.features.Has(feature)) layout.size += FeatureSize(shape_, n_mels_, feature, readout.pooling);
  }
  layouts_.push_back(layout);
  return layouts_.back();
}

template <typename Write>
void RowWriter::ForEachReadout(const WindowRequest& request, Feature feature, Write write) {
  float* row = request.row;
  for (const Readout& readout : request.readouts) {
    const Layout& layout = LayoutOf(readout);
    if (readout.features.Has(feature)) write(readout, row + layout.offsets[static_cast<size_t>(feature)]);
    row += layout.size;
  }
}

void RowWriter::WriteVector(const WindowRequest& request, Feature feature, const float* values) {
  ForEachReadout(request, feature, [&](const Readout& readout, float* to) {
    std::copy_n(values, FeatureSize(shape_, n_mels_, feature, readout.pooling), to);
  });
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
  ForEachReadout(request, Feature::kMelAvgs, [&](const Readout&, float* to) {
    for (size_t mel = 0; mel < mels; ++mel) to[mel] = total[mel] / static_cast<float>(frame_count);
  });
}

void RowWriter::WriteBlock(const WindowRequest& request, int block, const float* map, MapSize size, size_t stride) {
  const size_t cols = static_cast<size_t>(size.cols);
  const size_t n = cols * stride;
  const size_t channels = static_cast<size_t>(FeatureSize(shape_, n_mels_, Block(block), Pooling::kAvgCh));

  // Readouts that pool alike share the reductions: each is made once, in the same order whoever asks for it.
  bool averages = false, maximises = false;            // Over time.
  bool averages_mels = false, maximises_mels = false;  // Over time and mels.
  for (const Readout& readout : request.readouts) {
    if (!readout.features.Has(Block(block))) continue;
    averages |= Averages(readout.pooling);
    maximises |= Maximises(readout.pooling);
    if (KeepsMels(readout.pooling)) continue;
    averages_mels |= Averages(readout.pooling);
    maximises_mels |= Maximises(readout.pooling);
  }
  float* const sums = sums_.Reserve(n);
  float* const maxima = maxima_.Reserve(n);
  kernels_.reduce_rows(map, static_cast<size_t>(size.rows), n, averages ? sums : nullptr, maximises ? maxima : nullptr);
  float* const total = totals_.Reserve(2 * stride);
  float* const maximum = total + stride;
  if (averages_mels) kernels_.reduce_rows(sums, cols, stride, total, nullptr);
  if (maximises_mels) kernels_.reduce_rows(maxima, cols, stride, nullptr, maximum);

  ForEachReadout(request, Block(block), [&](const Readout& readout, float* to) {
    if (KeepsMels(readout.pooling)) {
      const bool adds_maxima = Maximises(readout.pooling);
      const float rows = static_cast<float>(size.rows);
      for (size_t channel = 0; channel < channels; ++channel) {
        for (size_t col = 0; col < cols; ++col) {
          const size_t i = col * stride + channel;
          *to++ = sums[i] / rows + (adds_maxima ? maxima[i] : 0.0f);
        }
      }
      return;
    }
    const float pixels = static_cast<float>(size.pixels());
    for (size_t i = 0; i < channels; ++i) {
      if (readout.pooling == Pooling::kMaxCh) {
        to[i] = maximum[i];
      } else if (readout.pooling == Pooling::kAddAvgMaxCh) {
        to[i] = total[i] / pixels + maximum[i];
      } else {
        to[i] = total[i] / pixels;
        if (readout.pooling == Pooling::kCatAvgMaxCh) to[channels + i] = maximum[i];
      }
    }
  });
}

}  // namespace hearwire
