#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "models/native/kernels.h"
#include "models/native/packed_network.h"
#include "tests/models/native/kernels_fixture.h"

namespace hearwire {
namespace {

class DepthwiseTest : public KernelsTest {
 protected:
  // The outputs of three windows, and their means, against sums over the taps. They are computed in two halves, as a
  // piece-wise caller does: the second buffer begins with the first row that it needs.
  void ExpectConvolution(const Kernels& kernels, const ConvolutionWeights& convolution, const DepthwiseWeights& packed,
                         int rows, int cols) {
    const int kernel = packed.kernel, stride = packed.stride, windows = 3;
    const int out_rows = (rows + stride - 1) / stride, out_cols = (cols + stride - 1) / stride;
    const size_t in_window = rows * cols * packed.channel_stride;
    const size_t out_window = out_rows * out_cols * packed.channel_stride;
    const AlignedFloats in = Values(windows * rows * cols, packed.channel_stride, convolution.out_channels);
    AlignedFloats out(windows * out_window), means(windows * packed.channel_stride);
    for (const auto& [first, end] : {std::pair(0, out_rows / 2), std::pair(out_rows / 2, out_rows)}) {
      const int first_in = std::max(0, first * stride - kernel / 2);
      kernels.depthwise(packed, {.in = in.data() + first_in * cols * packed.channel_stride,
                                 .first_in_row = first_in,
                                 .in_rows = rows,
                                 .in_cols = cols,
                                 .first_out_row = first,
                                 .end_out_row = end,
                                 .out_cols = out_cols,
                                 .windows = windows,
                                 .in_window = in_window,
                                 .out_window = out_window,
                                 .activation = Activation::kHardswish,
                                 .out = out.data() + first * out_cols * packed.channel_stride,
                                 .means = means.data(),
                                 .mean_scale = 1.0f / (out_rows * out_cols)});
    }
    for (int window = 0; window < windows; ++window) {
      for (int c = 0; c < convolution.out_channels; ++c) {
        double total = 0;
        for (int row = 0; row < out_rows; ++row) {
          for (int col = 0; col < out_cols; ++col) {
            double sum = convolution.bias[c];
            for (int time = 0; time < kernel; ++time) {
              for (int mel = 0; mel < kernel; ++mel) {
                const int y = row * stride + time - kernel / 2, x = col * stride + mel - kernel / 2;
                if (y < 0 || y >= rows || x < 0 || x >= cols) continue;
                sum += convolution.weight[(c * kernel + mel) * kernel + time] *
                       in.data()[window * in_window + (y * cols + x) * packed.channel_stride + c];
              }
            }
            const double expected = Apply(Activation::kHardswish, sum);
            ASSERT_NEAR(out.data()[window * out_window + (row * out_cols + col) * packed.channel_stride + c], expected,
                        1e-5);
            total += expected;
          }
        }
        ASSERT_NEAR(means.data()[window * packed.channel_stride + c], total / (out_rows * out_cols), 1e-5);
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Targets, DepthwiseTest, AllTargets(), NameOfTarget);

TEST_P(DepthwiseTest, IsAConvolutionPerChannel) {
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
      for (const auto& [rows, cols] : std::vector<std::pair<int, int>>{
               {1, 1}, {1, 4}, {1, 21}, {2, 8}, {7, 2}, {3, 3}, {5, 16}, {6, 23}, {4, 5}}) {
        SCOPED_TRACE(testing::Message() << kernel << " " << stride << " " << rows << "x" << cols);
        ExpectConvolution(kernels, convolution, packed, rows, cols);
      }
    }
  }
}

}  // namespace
}  // namespace hearwire
