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

TEST_P(KernelsTest, PointwiseReadsHalfPlanes) {
  const Kernels kernels = BestKernels();
  const int channels = 24, cols = 21;
  const PointwiseWeights packed = PackPointwise(Vector(channels * 40), Vector(40), 40, channels, kernels);
  const AlignedFloats in = Values(cols, packed.in_stride, channels);
  const size_t half = kernels.Pad(cols);
  const AlignedFloats planes = ToHalfPlanes(in, packed.in_stride, cols, channels, half);
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
