#include "models/native/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/native/packed_network.h"
#include "tests/models/native/kernels_fixture.h"

namespace hearwire {
namespace {

INSTANTIATE_TEST_SUITE_P(Targets, KernelsTest, AllTargets(), NameOfTarget);

TEST_P(KernelsTest, PointwiseIsAMatrixProduct) {
  const Kernels kernels = BestKernels();
  for (const auto& [in_channels, out_channels] :
       std::vector<std::pair<int, int>>{{1, 1}, {8, 8}, {24, 72}, {40, 120}, {72, 24}, {120, 40}, {112, 527}}) {
    const std::vector<float> weight = Vector(size_t{1} * in_channels * out_channels);
    const std::vector<float> bias = Vector(out_channels);
    const PointwiseWeights packed = PackPointwise(weight, bias, out_channels, in_channels, kernels);
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kHardswish}) {
      const size_t rows = 29;
      const AlignedFloats in = Values(rows, packed.in_stride, in_channels);
      const AlignedFloats residual = Values(rows, packed.out_stride, out_channels);
      AlignedFloats out(rows * packed.out_stride);
      kernels.pointwise(
          packed,
          {.in = in.data(), .rows = rows, .residual = residual.data(), .activation = activation, .out = out.data()});
      for (size_t row = 0; row < rows; ++row) {
        for (size_t c = 0; c < packed.out_stride; ++c) {
          double expected = 0;
          if (c < static_cast<size_t>(out_channels)) {
            double sum = bias[c];
            for (int i = 0; i < in_channels; ++i) {
              sum += weight[c * in_channels + i] * in.data()[row * packed.in_stride + i];
            }
            expected = Apply(activation, sum) + residual.data()[row * packed.out_stride + c];
          }
          ASSERT_NEAR(out.data()[row * packed.out_stride + c], expected, 2e-5) << row << " " << c;
        }
      }
    }
  }
}

TEST_P(KernelsTest, PointwiseGivesARowTheSameBitsInEveryPlace) {
  const Kernels kernels = BestKernels();
  for (const int out_channels : {8, 40, 48, 200}) {
    const PointwiseWeights packed =
        PackPointwise(Vector(72 * out_channels), Vector(out_channels), out_channels, 72, kernels);
    const size_t most_rows = 40;
    const AlignedFloats in = Values(most_rows, packed.in_stride, 72);
    AlignedFloats alone(most_rows * packed.out_stride), together(most_rows * packed.out_stride);
    for (size_t row = 0; row < most_rows; ++row) {
      kernels.pointwise(packed, {.in = in.data() + row * packed.in_stride,
                                 .rows = 1,
                                 .activation = Activation::kHardswish,
                                 .out = alone.data() + row * packed.out_stride});
    }
    for (size_t rows = 1; rows <= most_rows; ++rows) {
      kernels.pointwise(packed,
                        {.in = in.data(), .rows = rows, .activation = Activation::kHardswish, .out = together.data()});
      ASSERT_TRUE(std::equal(alone.data(), alone.data() + rows * packed.out_stride, together.data())) << rows;
    }
  }
}

TEST_P(KernelsTest, PointwiseTakesManyRowsInBlocks) {
  const Kernels kernels = BestKernels();
  const PointwiseWeights packed = PackPointwise(Vector(960 * 16), Vector(16), 16, 960, kernels);
  const size_t rows = 1000;
  const AlignedFloats in = Values(rows, packed.in_stride, 960);
  AlignedFloats out(rows * packed.out_stride), last(packed.out_stride);
  kernels.pointwise(packed, {.in = in.data(), .rows = rows, .out = out.data()});
  for (const size_t row : {0, 95, 96, 500, 999}) {
    kernels.pointwise(packed, {.in = in.data() + row * packed.in_stride, .rows = 1, .out = last.data()});
    EXPECT_TRUE(std::equal(last.data(), last.data() + packed.out_stride, out.data() + row * packed.out_stride)) << row;
  }
}

TEST_P(KernelsTest, ScaledWeightsStandForScaledInputs) {
  const Kernels kernels = BestKernels();
  const PointwiseWeights packed = PackPointwise(Vector(40 * 120), Vector(120), 120, 40, kernels);
  const AlignedFloats in = Values(5, packed.in_stride, 40);
  const AlignedFloats factors = Values(packed.in_stride);
  AlignedFloats weights(packed.weight.size()), by_weights(5 * packed.out_stride), by_inputs(5 * packed.out_stride);
  kernels.scale_weights(packed, factors.data(), weights.data());
  kernels.pointwise(packed, {.in = in.data(), .rows = 5, .weight = weights.data(), .out = by_weights.data()});
  AlignedFloats scaled(5 * packed.in_stride);
  std::copy_n(in.data(), in.size(), scaled.data());
  kernels.multiply_rows(scaled.data(), 5, packed.in_stride, factors.data());
  EXPECT_EQ(scaled.data()[3], in.data()[3] * factors.data()[3]);
  kernels.pointwise(packed, {.in = scaled.data(), .rows = 5, .out = by_inputs.data()});
  for (size_t i = 0; i < by_inputs.size(); ++i) ASSERT_NEAR(by_weights.data()[i], by_inputs.data()[i], 1e-5);
}

TEST_P(KernelsTest, DepthwiseIsAConvolutionPerChannel) {
  const Kernels kernels = BestKernels();
  const int channels = 40;
  for (const int kernel : {3, 5}) {
    for (const int stride : {1, 2}) {
      const ConvolutionWeights convolution{.out_channels = channels,
                                           .in_channels = 1,
                                           .kernel = kernel,
                                           .weight = Vector(channels * kernel * kernel),
                                           .bias = Vector(channels)};
      const DepthwiseWeights packed = PackDepthwise(convolution, stride, kernels);
      for (const auto& [rows, cols] :
           std::vector<std::pair<int, int>>{{1, 1}, {1, 4}, {2, 8}, {7, 2}, {3, 3}, {5, 16}, {6, 23}, {4, 5}}) {
        const int out_rows = (rows + stride - 1) / stride, out_cols = (cols + stride - 1) / stride;
        const AlignedFloats in = Values(rows * cols, packed.channel_stride, channels);
        // In two halves, as a piece-wise caller does: the second buffer begins with the first row that it needs.
        AlignedFloats out(out_rows * out_cols * packed.channel_stride), sums(packed.channel_stride);
        for (const auto& [first, end] : {std::pair(0, out_rows / 2), std::pair(out_rows / 2, out_rows)}) {
          const int first_in = std::max(0, first * stride - kernel / 2);
          kernels.depthwise(packed, {.in = in.data() + first_in * cols * packed.channel_stride,
                                     .first_in_row = first_in,
                                     .in_rows = rows,
                                     .in_cols = cols,
                                     .first_out_row = first,
                                     .end_out_row = end,
                                     .out_cols = out_cols,
                                     .activation = Activation::kHardswish,
                                     .out = out.data() + first * out_cols * packed.channel_stride,
                                     .sums = sums.data()});
        }
        for (int c = 0; c < channels; ++c) {
          double total = 0;
          for (int row = 0; row < out_rows; ++row) {
            for (int col = 0; col < out_cols; ++col) {
              double sum = convolution.bias[c];
              for (int time = 0; time < kernel; ++time) {
                for (int mel = 0; mel < kernel; ++mel) {
                  const int y = row * stride + time - kernel / 2, x = col * stride + mel - kernel / 2;
                  if (y < 0 || y >= rows || x < 0 || x >= cols) continue;
                  sum += convolution.weight[(c * kernel + mel) * kernel + time] *
                         in.data()[(y * cols + x) * packed.channel_stride + c];
                }
              }
              const double expected = Apply(Activation::kHardswish, sum);
              ASSERT_NEAR(out.data()[(row * out_cols + col) * packed.channel_stride + c], expected, 1e-5)
                  << kernel << " " << stride << " " << rows << "x" << cols;
              total += expected;
            }
          }
          ASSERT_NEAR(sums.data()[c], total, 1e-4);
        }
      }
    }
  }
}

TEST_P(KernelsTest, PointwiseReadsHalfPlanes) {
  const Kernels kernels = BestKernels();
  const int channels = 24, cols = 21;
  const PointwiseWeights packed = PackPointwise(Vector(channels * 40), Vector(40), 40, channels, kernels);
  const AlignedFloats in = Values(cols, packed.in_stride, channels);
  const size_t half = kernels.Pad(cols);
  AlignedFloats planes(channels * half);
  for (int col = 0; col < cols; ++col) {
    for (int channel = 0; channel < channels; ++channel) {
      planes.data()[channel * half + col] = in.data()[col * packed.in_stride + channel];
    }
  }
  AlignedFloats expected(cols * packed.out_stride), out(cols * packed.out_stride);
  kernels.pointwise(packed, {.in = in.data(), .rows = cols, .out = expected.data()});
  kernels.pointwise(packed, {.in = planes.data(), .in_half = half, .rows = cols, .out = out.data()});
  EXPECT_TRUE(std::equal(out.data(), out.data() + out.size(), expected.data()));
}

TEST_P(KernelsTest, SigmoidIsRightFarOut) {
  const Kernels kernels = BestKernels();
  AlignedFloats x(kernels.Pad(9));
  const float values[] = {0, 1, -1, 20, -20, 87, -87, 1e30f, -1e30f};
  std::copy_n(values, 9, x.data());
  kernels.sigmoid(x.data(), kernels.Pad(9));
  for (int i = 0; i < 9; ++i)
    EXPECT_NEAR(x.data()[i], 1 / (1 + std::exp(-static_cast<double>(values[i]))), 1e-6) << values[i];
}

TEST_P(KernelsTest, ReducesRows) {
  const Kernels kernels = BestKernels();
  const size_t n = kernels.Pad(24);
  for (const size_t count : {1, 2, 32, 33, 1000}) {
    const AlignedFloats x = Values(count, n, n);
    AlignedFloats sums(n), maxima(n);
    kernels.reduce_rows(x.data(), count, n, sums.data(), maxima.data());
    for (size_t i = 0; i < n; ++i) {
      double sum = 0;
      float maximum = x.data()[i];
      for (size_t row = 0; row < count; ++row) {
        sum += x.data()[row * n + i];
        maximum = std::max(maximum, x.data()[row * n + i]);
      }
      EXPECT_NEAR(sums.data()[i], sum, 1e-5);
      EXPECT_EQ(maxima.data()[i], maximum);
    }
  }
}

TEST(KernelsTableTest, KnowsThePlainest) {
  const Kernels plain = PlainKernels();
  EXPECT_LE(plain.lanes, BestKernels().lanes);
#if defined(__x86_64__)
  EXPECT_STREQ(plain.instruction_set, "SCALAR");
#else
  EXPECT_STRNE(plain.instruction_set, "");
#endif
}

}  // namespace
}  // namespace hearwire
