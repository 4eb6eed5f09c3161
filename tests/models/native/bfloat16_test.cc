#include "models/native/bfloat16.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>
#include <vector>

#include "models/native/packed_network.h"
#include "tests/models/native/backend_fixture.h"
#include "tests/models/native/kernels_fixture.h"

namespace hearwire {
namespace {

float Rounded(float value) { return std::bit_cast<float>(MakePair(value, 0) << 16); }

class Bfloat16Test : public testing::Test {
 protected:
  void SetUp() override {
    if (!NativeHasBfloat16()) GTEST_SKIP() << "this processor has no AVX512-BF16";
  }
};

// Its random numbers, with the best kernels.
class Bfloat16KernelTest : public KernelsTest {
 protected:
  void SetUp() override {
    KernelsTest::SetUp();
    if (!NativeHasBfloat16()) GTEST_SKIP() << "these kernels have no bfloat16";
  }
  PointwiseWeights Pack(const std::vector<float>& weight, const std::vector<float>& bias, int out, int in) {
    return PackPointwise(weight, bias, out, in, kernels_, ProductPrecision::kBfloat16);
  }

  const Kernels kernels_ = BestKernels();
  AlignedPairs memory_;
};

INSTANTIATE_TEST_SUITE_P(Targets, Bfloat16KernelTest, testing::Values(0), [](const auto&) { return "best"; });

TEST(MakePairTest, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(MakePair(1.0f, -2.0f), 0xc0003f80u);
  EXPECT_EQ(Rounded(1.0f + 1.0f / 256), 1.0f);               // Between 1 and 1 + 1 / 128.
  EXPECT_EQ(Rounded(1.0f + 3.0f / 256), 1.0f + 2.0f / 128);  // Between 1 + 1 / 128 and 1 + 2 / 128.
  EXPECT_EQ(Rounded(1.0f + 1.1f / 256), 1.0f + 1.0f / 128);
  EXPECT_EQ(Rounded(0.0f), 0.0f);
}

// Every instruction set but AVX-512's has maps that are padded otherwise.
TEST(RunsBfloat16Test, NeedsTheWidestKernels) { EXPECT_FALSE(RunsBfloat16(PlainKernels())); }

TEST_P(Bfloat16KernelTest, IsAMatrixProductOfRoundedNumbers) {
  for (const auto& [in_channels, out_channels] :
       std::vector<std::pair<int, int>>{{1, 1}, {8, 8}, {24, 72}, {40, 120}, {72, 24}, {120, 40}, {112, 527}}) {
    const std::vector<float> weight = Vector(size_t{1} * in_channels * out_channels);
    const std::vector<float> bias = Vector(out_channels);
    const PointwiseWeights packed = Pack(weight, bias, out_channels, in_channels);
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kHardswish}) {
      const size_t rows = 29;
      const AlignedFloats in = Values(rows, packed.in_stride, in_channels);
      const AlignedFloats residual = Values(rows, packed.out_stride, out_channels);
      const AlignedFloats factors = Values(5, packed.in_stride, in_channels);  // The last for the rows that are left.
      AlignedFloats out(rows * packed.out_stride);
      PointwiseBfloat16(packed,
                        {.in = in.data(),
                         .rows = rows,
                         .factors = factors.data(),
                         .rows_per_factors = 7,
                         .residual = residual.data(),
                         .activation = activation,
                         .out = out.data()},
                        memory_);
      for (size_t row = 0; row < rows; ++row) {
        for (size_t c = 0; c < packed.out_stride; ++c) {
          double expected = 0;
          if (c < static_cast<size_t>(out_channels)) {
            double sum = bias[c];
            for (int i = 0; i < in_channels; ++i) {
              const float x = in.data()[row * packed.in_stride + i] * factors.data()[row / 7 * packed.in_stride + i];
              sum += double{Rounded(weight[c * in_channels + i])} * Rounded(x);
            }
            expected = Apply(activation, sum) + residual.data()[row * packed.out_stride + c];
          }
          ASSERT_NEAR(out.data()[row * packed.out_stride + c], expected, 2e-5) << row << " " << c;
        }
      }
    }
  }
}

TEST_P(Bfloat16KernelTest, GivesARowTheSameBitsInEveryPlace) {
  for (const auto& [in_channels, out_channels] : {std::pair(72, 8), {72, 40}, {24, 48}, {72, 200}, {960, 160}}) {
    const PointwiseWeights packed =
        Pack(Vector(size_t{1} * in_channels * out_channels), Vector(out_channels), out_channels, in_channels);
    const size_t most_rows = 140;  // More than a block of them.
    const AlignedFloats in = Values(most_rows, packed.in_stride, in_channels);
    AlignedFloats alone(most_rows * packed.out_stride), together(most_rows * packed.out_stride);
    for (size_t row = 0; row < most_rows; ++row) {
      PointwiseBfloat16(packed,
                        {.in = in.data() + row * packed.in_stride,
                         .rows = 1,
                         .activation = Activation::kHardswish,
                         .out = alone.data() + row * packed.out_stride},
                        memory_);
    }
    for (size_t rows = 1; rows <= most_rows; rows += rows < 40 ? 1 : 25) {
      PointwiseBfloat16(packed,
                        {.in = in.data(), .rows = rows, .activation = Activation::kHardswish, .out = together.data()},
                        memory_);
      ASSERT_TRUE(std::equal(alone.data(), alone.data() + rows * packed.out_stride, together.data())) << rows;
    }
  }
}

TEST_P(Bfloat16KernelTest, ReadsHalfPlanes) {
  const int channels = 24, cols = 21;
  const PointwiseWeights packed = Pack(Vector(channels * 40), Vector(40), 40, channels);
  const AlignedFloats in = Values(cols, packed.in_stride, channels);
  const size_t half = kernels_.Pad(cols);
  const AlignedFloats planes = ToHalfPlanes(in, packed.in_stride, cols, channels, half);
  AlignedFloats expected(cols * packed.out_stride), out(cols * packed.out_stride);
  PointwiseBfloat16(packed, {.in = in.data(), .rows = cols, .out = expected.data()}, memory_);
  PointwiseBfloat16(packed, {.in = planes.data(), .in_half = half, .rows = cols, .out = out.data()}, memory_);
  EXPECT_TRUE(std::equal(out.data(), out.data() + out.size(), expected.data()));
}

TEST_P(Bfloat16KernelTest, HandsOnWhatIsNotANumber) {
  const PointwiseWeights packed = Pack(Vector(16 * 16), Vector(16), 16, 16);
  for (const float value : {NAN, INFINITY, 3.4e38f}) {  // The last is infinite in bfloat16.
    AlignedFloats in = Values(1, 16, 16);
    in.data()[3] = value;
    AlignedFloats out(16);
    PointwiseBfloat16(packed, {.in = in.data(), .rows = 1, .out = out.data()}, memory_);
    EXPECT_FALSE(std::isfinite(out.data()[0])) << value;
  }
}

NativeOptions Options() { return {.precision = "bfloat16"}; }

// Random networks, which carry errors on further than trained ones do.
TEST_F(Bfloat16Test, ComputesTheNetwork) {
  for (const double width : {0.1, 0.4, 1.0}) {
    const HeadKind head = width == 1.0 ? HeadKind::kFullyConvolutional : HeadKind::kMlp;
    Fixture fixture(MakeRandomNetwork(width, head, 7), 128, Options());
    for (const int frames : {1, 16, 300}) {
      fixture.ExpectReferenceRow({frames, {EveryFeature(head, Pooling::kAvgCh)}, 1}, 6e-2);
    }
  }
}

TEST_F(Bfloat16Test, GivesARowThatDoesNotDependOnItsCompany) {
  for (const auto& [width, head, mels] : {std::tuple(0.1, HeadKind::kFullyConvolutional, 40),
                                          std::tuple(0.5, HeadKind::kMlp, 64), std::tuple(1.0, HeadKind::kMlp, 128)}) {
    ExpectSameBitsInAnyCompany(width, head, mels, Options());
  }
}

TEST_F(Bfloat16Test, GivesEveryWorkerTheSameBits) { ExpectSameBitsOfEveryWorker(Options()); }

TEST_F(Bfloat16Test, IsWhatTheBackendSays) { EXPECT_EQ(MakeNativeBackend(Options()).value()->precision(), "bfloat16"); }

TEST(NativePrecisionTest, RefusesWhatThereIsNot) {
  const auto unknown = MakeNativeBackend({.precision = "float16"});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  const auto plain = MakeNativeBackend({.precision = "bfloat16", .plain_kernels = true});
  EXPECT_EQ(plain.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(plain.status().message().find("AVX512-BF16"), std::string::npos) << plain.status();
}

}  // namespace
}  // namespace hearwire
