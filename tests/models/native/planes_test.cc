#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "models/native/kernels.h"
#include "models/native/packed_network.h"
#include "tests/models/native/kernels_fixture.h"

namespace hearwire {
namespace {

// Planes of `cols` columns, whose padding is not a number: what reads it shows.
class Planes {
 public:
  Planes(const Kernels& kernels, int rows, int channels, int cols)
      : channels_(channels), half_(kernels.Half(cols)), values_(size_t{2} * rows * channels * half_) {
    std::fill_n(values_.data(), values_.size(), std::numeric_limits<float>::quiet_NaN());
  }

  float& at(int row, int channel, int col) {
    return values_.data()[size_t{2} * (row * channels_ + channel) * half_ + col % 2 * half_ + col / 2];
  }
  size_t half() const { return half_; }
  float* row(int index) { return values_.data() + size_t{2} * index * channels_ * half_; }

 private:
  const int channels_;
  const size_t half_;
  AlignedFloats values_;
};

class PlanesTest : public KernelsTest {
 protected:
  Planes RandomPlanes(int rows, int channels, int cols) {
    Planes planes(BestKernels(), rows, channels, cols);
    for (int row = 0; row < rows; ++row) {
      for (int channel = 0; channel < channels; ++channel) {
        for (int col = 0; col < cols; ++col) planes.at(row, channel, col) = Vector(1)[0];
      }
    }
    return planes;
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, PlanesTest, AllTargets(), NameOfTarget);

TEST_P(PlanesTest, StemIsAConvolutionOfOneChannel) {
  const Kernels kernels = BestKernels();
  const int channels = 24;
  const ConvolutionWeights convolution{.out_channels = channels,
                                       .in_channels = 1,
                                       .kernel = 3,
                                       .weight = Vector(channels * 9),
                                       .bias = Vector(channels)};
  const StemWeights packed = PackStem(convolution);
  for (const int mels : {1, 2, 7, 40, 63, 128, 133}) {
    const int rows = 3, cols = (mels + 1) / 2;
    const AlignedFloats spectrogram = Values((2 * rows + 1) * mels);
    Planes out(kernels, rows, channels, cols);
    const size_t in_stride = kernels.lanes + 4 * out.half();
    AlignedFloats in((2 * rows + 1) * in_stride);
    std::fill_n(in.data(), in.size(), std::numeric_limits<float>::quiet_NaN());
    for (int row = 0; row < 2 * rows + 1; ++row) {
      kernels.quarter_row(spectrogram.data() + row * mels, mels, out.half(), in.data() + row * in_stride);
    }
    kernels.stem(packed, {.in = in.data(), .half = out.half(), .out_rows = rows, .out = out.row(0)});
    for (int row = 0; row < rows; ++row) {
      for (int col = 0; col < cols; ++col) {
        for (int c = 0; c < channels; ++c) {
          double sum = convolution.bias[c];
          for (int time = 0; time < 3; ++time) {
            for (int mel = std::max(0, 2 * col - 1); mel < std::min(mels, 2 * col + 2); ++mel) {
              sum += convolution.weight[(c * 3 + mel - 2 * col + 1) * 3 + time] *
                     spectrogram.data()[(2 * row + time) * mels + mel];
            }
          }
          ASSERT_NEAR(out.at(row, c, col), Apply(Activation::kHardswish, sum), 1e-5)
              << mels << " " << row << " " << col;
        }
      }
    }
  }
}

TEST_P(PlanesTest, PointwiseIsAMatrixProduct) {
  const Kernels kernels = BestKernels();
  for (const auto& [in_channels, out_channels] : std::vector<std::pair<int, int>>{{8, 8}, {24, 16}, {16, 72}}) {
    const ConvolutionWeights convolution{.out_channels = out_channels,
                                         .in_channels = in_channels,
                                         .kernel = 1,
                                         .weight = Vector(in_channels * out_channels),
                                         .bias = Vector(out_channels)};
    const int first = 8 % out_channels;  // Of some output channels, as of all.
    const PlanesPointwiseWeights packed = PackPlanesPointwise(convolution, first, out_channels);
    const int channels = out_channels - first;
    for (const int cols : {1, 20, 33, 64, 100}) {
      const int rows = 3;
      Planes in = RandomPlanes(rows, in_channels, cols), residual = RandomPlanes(rows, channels, cols);
      Planes out(kernels, rows, channels, cols);
      kernels.planes_pointwise(packed, {.in = in.row(0),
                                        .rows = rows,
                                        .width = 2 * in.half(),
                                        .residual = residual.row(0),
                                        .activation = Activation::kRelu,
                                        .out = out.row(0)});
      for (int row = 0; row < rows; ++row) {
        for (int c = 0; c < channels; ++c) {
          for (int col = 0; col < cols; ++col) {
            double sum = convolution.bias[first + c];
            for (int i = 0; i < in_channels; ++i) {
              sum += convolution.weight[(first + c) * in_channels + i] * in.at(row, i, col);
            }
            ASSERT_NEAR(out.at(row, c, col), Apply(Activation::kRelu, sum) + residual.at(row, c, col), 2e-5);
          }
        }
      }
    }
  }
}

TEST_P(PlanesTest, DepthwiseIsAConvolutionPerChannel) {
  const Kernels kernels = BestKernels();
  const int channels = 16;
  const ConvolutionWeights convolution{.out_channels = channels,
                                       .in_channels = 1,
                                       .kernel = 3,
                                       .weight = Vector(channels * 9),
                                       .bias = Vector(channels)};
  for (const int stride : {1, 2}) {
    const PlanesDepthwiseWeights packed = PackPlanesDepthwise(convolution, stride, 0, channels);
    for (const auto& [rows, cols] :
         std::vector<std::pair<int, int>>{{1, 1}, {1, 4}, {2, 8}, {3, 3}, {7, 20}, {6, 33}, {5, 64}, {4, 65}}) {
      const int out_rows = (rows + stride - 1) / stride, out_cols = (cols + stride - 1) / stride;
      Planes in = RandomPlanes(rows, channels, cols);
      const size_t out_width = in.half() * (stride == 1 ? 2 : 1);
      AlignedFloats out(out_rows * channels * out_width);
      for (const Activation activation : {Activation::kRelu, Activation::kHardswish}) {
        // In two pieces, the second with the rows alone that it needs.
        for (const auto& [first, end] : {std::pair(0, out_rows / 2), std::pair(out_rows / 2, out_rows)}) {
          const int first_in = std::max(0, first * stride - 1);
          kernels.planes_depthwise(packed, {.in = in.row(first_in),
                                            .half = in.half(),
                                            .first_in_row = first_in,
                                            .in_rows = rows,
                                            .in_cols = cols,
                                            .first_out_row = first,
                                            .end_out_row = end,
                                            .activation = activation,
                                            .out = out.data() + first * channels * out_width,
                                            .out_stride = channels * out_width});
        }
        for (int row = 0; row < out_rows; ++row) {
          for (int col = 0; col < out_cols; ++col) {
            for (int c = 0; c < channels; ++c) {
              double sum = convolution.bias[c];
              for (int y = std::max(0, row * stride - 1); y < std::min(rows, row * stride + 2); ++y) {
                for (int x = std::max(0, col * stride - 1); x < std::min(cols, col * stride + 2); ++x) {
                  sum += convolution.weight[(c * 3 + x - col * stride + 1) * 3 + y - row * stride + 1] * in.at(y, c, x);
                }
              }
              const size_t place = stride == 1 ? col % 2 * in.half() + col / 2 : col;
              ASSERT_NEAR(out.data()[(row * channels + c) * out_width + place], Apply(activation, sum), 1e-5)
                  << rows << " x " << cols << ", stride " << stride << ": " << row << " " << col;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace hearwire
