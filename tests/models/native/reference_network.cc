#include "tests/models/native/reference_network.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace hearwire {
namespace {

using Vector = std::vector<double>;

struct Map {
  int channels = 0, mels = 0, times = 0;
  Vector values;  // [channels, mels, times]

  Map(int channels, int mels, int times)
      : channels(channels), mels(mels), times(times), values(size_t{1} * channels * mels * times) {}
  double& at(int c, int m, int t) { return values[(size_t{1} * c * mels + m) * times + t]; }
  double at(int c, int m, int t) const { return const_cast<Map*>(this)->at(c, m, t); }
  // Zero outside.
  double padded(int c, int m, int t) const { return m < 0 || m >= mels || t < 0 || t >= times ? 0 : at(c, m, t); }
};

double None(double x) { return x; }
double Relu(double x) { return std::max(x, 0.0); }
double Hardswish(double x) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; }
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Map Convolve(const Map& in, const ConvolutionWeights& weights, int stride, double (*activation)(double)) {
  const int k = weights.kernel;
  const bool depthwise = weights.in_channels == 1 && in.channels > 1;
  Map out(weights.out_channels, (in.mels + stride - 1) / stride, (in.times + stride - 1) / stride);
  for (int c = 0; c < out.channels; ++c) {
    for (int m = 0; m < out.mels; ++m) {
      for (int t = 0; t < out.times; ++t) {
        double sum = weights.bias[c];
        for (int i = 0; i < weights.in_channels; ++i) {
          for (int a = 0; a < k; ++a) {
            for (int b = 0; b < k; ++b) {
              sum += weights.weight[((size_t{1} * c * weights.in_channels + i) * k + a) * k + b] *
                     in.padded(depthwise ? c : i, m * stride - k / 2 + a, t * stride - k / 2 + b);
            }
          }
        }
        out.at(c, m, t) = activation(sum);
      }
    }
  }
  return out;
}

Vector Apply(const Vector& in, const LinearWeights& weights) {
  Vector out(weights.out_channels);
  for (int o = 0; o < weights.out_channels; ++o) {
    out[o] = weights.bias[o];
    for (int i = 0; i < weights.in_channels; ++i)
      out[o] += weights.weight[size_t{1} * o * weights.in_channels + i] * in[i];
  }
  return out;
}

Vector Each(Vector values, double (*f)(double)) {
  for (double& value : values) value = f(value);
  return values;
}

Vector Pool(const Map& map, Pooling pooling) {
  Vector average, maximum, time_average, time_maximum;
  for (int c = 0; c < map.channels; ++c) {
    double sum = 0, largest = map.at(c, 0, 0);
    for (int m = 0; m < map.mels; ++m) {
      double time_sum = 0, time_largest = map.at(c, m, 0);
      for (int t = 0; t < map.times; ++t) {
        time_sum += map.at(c, m, t);
        time_largest = std::max(time_largest, map.at(c, m, t));
      }
      time_average.push_back(time_sum / map.times);
      time_maximum.push_back(time_largest);
      sum += time_sum;
      largest = std::max(largest, time_largest);
    }
    average.push_back(sum / (map.mels * map.times));
    maximum.push_back(largest);
  }
  const auto add = [](Vector a, const Vector& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  };
  switch (pooling) {
    case Pooling::kAvgCh:
      return average;
    case Pooling::kMaxCh:
      return maximum;
    case Pooling::kAddAvgMaxCh:
      return add(average, maximum);
    case Pooling::kCatAvgMaxCh:
      average.insert(average.end(), maximum.begin(), maximum.end());
      return average;
    case Pooling::kAvgTime:
      return time_average;
    case Pooling::kAvgMaxTime:
      return add(time_average, time_maximum);
  }
  return {};
}

Map SpectrogramOf(const Window& window) {
  Map map(1, window.mels, window.frame_count());
  int t = 0;
  for (const Window::Run& run : window.runs) {
    for (int i = 0; i < run.frame_count; ++i, ++t) {
      for (int m = 0; m < window.mels; ++m) map.at(0, m, t) = run.frames[i * window.mels + m];
    }
  }
  return map;
}

}  // namespace

std::vector<double> ReferenceRow(const NetworkWeights& weights, const Window& window, const Readout& readout) {
  std::array<Vector, static_cast<size_t>(Feature::kEnd)> features;
  const auto feature = [&](Feature f) -> Vector& { return features[static_cast<size_t>(f)]; };

  const Map spectrogram = SpectrogramOf(window);
  for (int m = 0; m < window.mels; ++m) {
    double sum = 0;
    for (int t = 0; t < spectrogram.times; ++t) sum += spectrogram.at(0, m, t);
    feature(Feature::kMelAvgs).push_back(sum / spectrogram.times);
  }
  Map x = Convolve(spectrogram, weights.stem, 2, Hardswish);
  feature(Block(0)) = Pool(x, readout.pooling);
  for (int i = 1; i < kBlockCount; ++i) {
    const BlockWeights& block = weights.blocks[i - 1];
    const BlockShape& shape = weights.shape.blocks[i - 1];
    double (*const activation)(double) = shape.hardswish ? Hardswish : Relu;
    Map y = block.expansion ? Convolve(x, *block.expansion, 1, activation) : x;
    y = Convolve(y, block.depthwise, shape.stride, activation);
    if (block.squeeze_excite) {
      feature(Se(i)) = Apply(Pool(y, Pooling::kAvgCh), block.squeeze_excite->fc1);
      const Vector gate = Each(Apply(Each(feature(Se(i)), Relu), block.squeeze_excite->fc2), Sigmoid);
      for (size_t v = 0; v < y.values.size(); ++v) y.values[v] *= gate[v / (size_t{1} * y.mels * y.times)];
    }
    y = Convolve(y, block.projection, 1, None);
    for (size_t v = 0; shape.has_residual() && v < y.values.size(); ++v) y.values[v] += x.values[v];
    x = y;
    feature(Block(i)) = Pool(x, readout.pooling);
  }
  feature(Feature::kClf1) = Pool(Convolve(x, weights.last, 1, Hardswish), Pooling::kAvgCh);
  if (weights.head == HeadKind::kMlp) {
    feature(Feature::kClf2) = Each(Apply(feature(Feature::kClf1), weights.hidden_layer), Hardswish);
    feature(Feature::kLogits) = Apply(feature(Feature::kClf2), weights.class_layer);
  } else {
    feature(Feature::kLogits) = Apply(feature(Feature::kClf1), weights.class_layer);
  }

  std::vector<double> row;
  for (int f = 0; f < static_cast<int>(Feature::kEnd); ++f) {
    if (readout.features.Has(static_cast<Feature>(f))) row.insert(row.end(), features[f].begin(), features[f].end());
  }
  return row;
}

}  // namespace hearwire
