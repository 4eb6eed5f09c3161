// The product on tensor cores, emulated, in every cut.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/cuda/forward_pass.h"
#include "models/cuda/kernel_args.h"
#include "tests/models/cuda/emulated_kernels.h"

namespace hearwire {
namespace {

// Of the sum of a row's products without their signs: float32 adds up with errors of this size.
constexpr double kTolerance = 1e-6;

std::vector<PointwiseCut> AllCuts() {
  std::vector<PointwiseCut> cuts;
  for (int columns = 1; columns <= kMaxPointwiseColumns; ++columns) {
    for (const auto& [tiles, warps] : {std::pair(2, 4), std::pair(1, 4), std::pair(1, 2)}) {
      cuts.push_back({columns, tiles, warps});
    }
  }
  return cuts;
}

// Copies are of 16 bytes.
struct Floats {
  explicit Floats(size_t count) : values(new (std::align_val_t{64}) float[count]), size(count) {}
  ~Floats() { ::operator delete[](values, std::align_val_t{64}); }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;

  float* const values;
  const size_t size;
};

struct Product {
  int windows, positions, terms, channels, channels_out, row_stride;
  bool scaled, residual;
  GpuActivation activation;

  int rows() const { return windows * positions; }
};

class Operands {
 public:
  explicit Operands(const Product& product)
      : p(product),
        x(size_t{1} * p.rows() * p.terms),
        weight(size_t{1} * p.terms * p.channels),
        bias(p.channels),
        scale(size_t{1} * p.windows * p.terms),
        residual(size_t{1} * p.rows() * p.channels) {
    std::mt19937 random(1);
    std::normal_distribution<float> noise;
    for (Floats* floats : {&x, &weight, &bias, &scale, &residual}) {
      std::generate_n(floats->values, floats->size, [&] { return noise(random); });
    }
  }

  std::vector<float> Run(const PointwiseCut& cut) const {
    Floats y(size_t{1} * p.rows() * p.row_stride);
    std::fill_n(y.values, y.size, -7.0f);
    const PointwiseArgs args = {.x = x.values,
                                .weight = weight.values,
                                .bias = bias.values,
                                .scale = p.scaled ? scale.values : nullptr,
                                .residual = p.residual ? residual.values : nullptr,
                                .y = y.values,
                                .rows = p.rows(),
                                .terms = p.terms,
                                .channels = p.channels,
                                .channels_out = p.channels_out,
                                .row_stride = p.row_stride,
                                .positions = p.positions,
                                .scale_rows = 0,
                                .activation = p.activation};
    RunEmulated(MakePointwiseLaunch(cut, args));
    return {y.values, y.values + y.size};
  }

  // The value of a row and channel, and how far a computed one may be off.
  std::pair<double, double> Expect(int row, int channel) const {
    double sum = bias.values[channel], size = std::abs(sum);
    for (int term = 0; term < p.terms; ++term) {
      double product = double{x.values[row * p.terms + term]} * weight.values[term * p.channels + channel];
      if (p.scaled) product *= scale.values[row / p.positions * p.terms + term];
      sum += product;
      size += std::abs(product);
    }
    double value = sum;
    if (p.activation == kGpuRelu) value = std::max(sum, 0.0);
    if (p.activation == kGpuHardswish) value = sum * std::clamp(sum + 3, 0.0, 6.0) / 6;
    if (p.activation == kGpuSigmoid) value = 1 / (1 + std::exp(-sum));
    if (p.residual) value += residual.values[row * p.channels + channel];
    // Hardswish is the steepest: it has a slope of 1.5 at most.
    return {value, 1.5 * kTolerance * size + 1e-7};
  }

 private:
  const Product p;
  Floats x, weight, bias, scale, residual;
};

TEST(PointwiseTest, GivesTheExactProductAndTheSameBitsInEveryCut) {
  const Product products[] = {
      {3, 70, 40, 72, 72, 72, true, true, kGpuNone},        // Windows end within a block's rows; terms within a stage.
      {40, 1, 24, 536, 527, 1000, false, false, kGpuNone},  // Not all channels are written, among others' columns.
      {40, 1, 128, 16, 10, 24, false, false, kGpuNone},     // As many classes as a small network has.
      {5, 4, 136, 16, 16, 17, true, false, kGpuSigmoid},    // Rows that are not aligned.
      {1, 130, 8, 8, 8, 8, false, true, kGpuHardswish},
      {150, 1, 72, 24, 24, 24, true, false, kGpuRelu},  // Each row has a scale of its own.
  };
  for (const Product& product : products) {
    const Operands operands(product);
    std::vector<float> first;
    for (const PointwiseCut& cut : AllCuts()) {
      SCOPED_TRACE(absl::StrCat(product.rows(), " x ", product.terms, " x ", product.channels, " in ", cut.columns, ".",
                                cut.tiles, ".", cut.warps));
      const std::vector<float> y = operands.Run(cut);
      if (first.empty()) first = y;
      ASSERT_EQ(y, first);
    }
    for (int row = 0; row < product.rows(); ++row) {
      for (int channel = 0; channel < product.row_stride; ++channel) {
        const float value = first[row * product.row_stride + channel];
        if (channel >= product.channels_out) {
          ASSERT_EQ(value, -7.0f) << "row " << row << ", column " << channel << " is not the product's";
          continue;
        }
        const auto [expected, tolerance] = operands.Expect(row, channel);
        ASSERT_NEAR(value, expected, tolerance) << "row " << row << ", channel " << channel;
      }
    }
  }
}

TEST(PointwiseTest, CutsFinelyWhereRowsAreFewAndCoarselyWhereTheyAreMany) {
  constexpr int kMultiprocessors = 132;
  const auto choose = [](int rows, int channels) {
    const PointwiseCut cut = ChoosePointwiseCut(rows, channels, kMultiprocessors);
    return absl::StrCat(cut.columns, ".", cut.tiles, ".", cut.warps);
  };
  EXPECT_EQ(choose(201, 24), "1.1.2");
  EXPECT_EQ(choose(1, 960), "1.1.2");
  EXPECT_EQ(choose(804, 960), "5.1.4");
  EXPECT_EQ(choose(1608, 80), "1.1.2");
  EXPECT_EQ(choose(1608, 200), "2.1.4");
  EXPECT_EQ(choose(102912, 64), "4.2.4");
  EXPECT_EQ(choose(102912, 16), "2.2.4");
  EXPECT_EQ(choose(102912, 8), "1.2.4");
  EXPECT_EQ(choose(25728, 120), "5.2.4");
}

}  // namespace
}  // namespace hearwire
