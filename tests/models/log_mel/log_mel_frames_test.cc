#include "models/log_mel/log_mel_frames.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "hwy/highway.h"
#include "models/log_mel/window_grid.h"

namespace hearwire {
namespace {

using Frame = std::vector<float>;

Frame Noise(int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.1f);
  Frame frame(kFrameSamples);
  for (float& sample : frame) sample = normal(random);
  return frame;
}

// The definition, in double precision.
std::vector<double> ExpectedLogMel(const Frame& frame, int n_mels) {
  const MelBank& bank = GetMelBank(n_mels);
  std::vector<double> power(512);
  for (int bin = 0; bin < 512; ++bin) {
    std::complex<double> sum = 0;
    for (int i = 0; i < kFrameSamples; ++i) {
      const double hann = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * i / (kFrameSamples - 1));
      sum += hann * frame[i] * std::polar(1.0, -2 * std::numbers::pi * bin * i / 1024);
    }
    power[bin] = std::norm(sum);
  }
  std::vector<double> log_mel;
  for (const MelBank::Band& band : bank.bands) {
    double sum = 0;
    for (int i = 0; i < band.bin_count; ++i) sum += bank.weights[band.first_weight + i] * power[band.first_bin + i];
    log_mel.push_back((std::log(sum + 1e-5) + 4.5) / 5);
  }
  return log_mel;
}

// Where frames of one vector go.
std::vector<float*> RowsOf(std::vector<float>* values, size_t count) {
  std::vector<float*> rows;
  for (size_t i = 0; i < count; ++i) rows.push_back(values->data() + i * (values->size() / count));
  return rows;
}

std::vector<Frame> Compute(const std::vector<Frame>& frames, int n_mels) {
  LogMelFrames kernel(GetMelBank(n_mels));
  for (size_t i = 0; i < frames.size(); ++i) std::copy(frames[i].begin(), frames[i].end(), kernel.samples(i));
  std::vector<float> rows(frames.size() * n_mels);
  EXPECT_TRUE(kernel.Compute(RowsOf(&rows, frames.size())));
  std::vector<Frame> result;
  for (size_t i = 0; i < frames.size(); ++i)
    result.emplace_back(rows.begin() + i * n_mels, rows.begin() + (i + 1) * n_mels);
  return result;
}

// Every instruction set of this machine in turn.
class LogMelFramesTest : public ::testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { Choose(GetParam()); }
  void TearDown() override { Choose(0); }

 private:
  static void Choose(int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

TEST_P(LogMelFramesTest, ComputesTheDefinition) {
  for (const int n_mels : {40, 64, 128, 256, 30}) {
    const std::vector<Frame> frames = {Noise(1), Noise(2), Noise(3)};
    const std::vector<Frame> rows = Compute(frames, n_mels);
    for (size_t i = 0; i < frames.size(); ++i) {
      const std::vector<double> expected = ExpectedLogMel(frames[i], n_mels);
      for (int mel = 0; mel < n_mels; ++mel) EXPECT_NEAR(rows[i][mel], expected[mel], 2e-6) << mel << " of " << n_mels;
    }
  }
}

TEST_P(LogMelFramesTest, GivesAFrameTheSameNumbersInEveryPlaceAndCompany) {
  const Frame frame = Noise(7);
  const Frame alone = Compute({frame}, 128)[0];
  for (int count = 1; count <= LogMelFrames::kMaxFrames; ++count) {
    for (int place = 0; place < count; ++place) {
      std::vector<Frame> frames;
      for (int i = 0; i < count; ++i) frames.push_back(i == place ? frame : Noise(100 + i));
      EXPECT_EQ(Compute(frames, 128)[place], alone) << place << " of " << count;
    }
  }
}

TEST_P(LogMelFramesTest, GivesSilenceTheFloor) {
  const Frame row = Compute({Frame(kFrameSamples)}, 64)[0];
  for (const float value : row) EXPECT_NEAR(value, (std::log(1e-5) + 4.5) / 5, 1e-6);
}

TEST_P(LogMelFramesTest, TellsWhenAnyFrameOverflows) {
  for (int place = 0; place < LogMelFrames::kMaxFrames; ++place) {
    for (const float value : {1e30f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      LogMelFrames kernel(GetMelBank(40));
      for (int i = 0; i < LogMelFrames::kMaxFrames; ++i) std::fill_n(kernel.samples(i), kFrameSamples, 0.0f);
      kernel.samples(place)[300] = value;
      std::vector<float> rows(LogMelFrames::kMaxFrames * 40);
      EXPECT_FALSE(kernel.Compute(RowsOf(&rows, LogMelFrames::kMaxFrames))) << place;
    }
  }
}

TEST_P(LogMelFramesTest, TellsWhenAnyBandOverflows) {
  for (const int bin : {10, 100, 400}) {
    LogMelFrames kernel(GetMelBank(40));
    for (int i = 0; i < kFrameSamples; ++i) {
      kernel.samples(0)[i] = 1e17f * std::sin(2 * std::numbers::pi_v<float> * static_cast<float>(bin * i) / 1024);
    }
    std::vector<float> row(40);
    EXPECT_FALSE(kernel.Compute(RowsOf(&row, 1))) << bin;
    EXPECT_GT(std::count_if(row.begin(), row.end(), [](float value) { return std::isfinite(value); }), 30);
  }
}

TEST_P(LogMelFramesTest, ForgetsAnOverflow) {
  LogMelFrames kernel(GetMelBank(40));
  for (int i = 0; i < 9; ++i) std::fill_n(kernel.samples(i), kFrameSamples, 0.0f);
  std::fill_n(kernel.samples(9), kFrameSamples, 1e30f);
  std::vector<float> rows(LogMelFrames::kMaxFrames * 40);
  EXPECT_FALSE(kernel.Compute(RowsOf(&rows, 10)));
  EXPECT_TRUE(kernel.Compute(RowsOf(&rows, 9)));
}

INSTANTIATE_TEST_SUITE_P(Targets, LogMelFramesTest, ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& info) { return std::string(hwy::TargetName(info.param)); });

}  // namespace
}  // namespace hearwire
