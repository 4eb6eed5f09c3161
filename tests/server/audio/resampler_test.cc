#include "server/audio/resampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "tests/fixtures/audio_files.h"

namespace hearwire {
namespace {

// In pieces of `piece` samples.
std::vector<float> Resample(const std::vector<float>& samples, int64_t from_hz, int64_t to_hz, size_t piece = 1 << 20) {
  auto resampler = Resampler::Create(from_hz, to_hz);
  EXPECT_TRUE(resampler.ok()) << resampler.status();
  std::vector<float> resampled;
  for (size_t i = 0; i < samples.size(); i += piece) {
    const size_t count = std::min(piece, samples.size() - i);
    EXPECT_TRUE((*resampler)->Append({samples.data() + i, count}, &resampled).ok());
  }
  EXPECT_TRUE((*resampler)->Finish(&resampled).ok());
  return resampled;
}

class ResamplerSineTest : public testing::TestWithParam<int> {};

TEST_P(ResamplerSineTest, KeepsASineWhereItIs) {
  const int from_hz = GetParam();
  constexpr int kToHz = 32000;
  for (const double part : {0.01, 0.3, 0.6, 0.9}) {
    const double frequency = part * std::min(from_hz, kToHz) / 2;
    const std::vector<float> resampled = Resample(MakeSine(frequency, from_hz, 1, 2).values, from_hz, kToHz);
    ASSERT_EQ(resampled.size(), size_t{2 * kToHz});
    double worst = 0;
    for (size_t i = kToHz / 2; i < resampled.size() - kToHz / 2; ++i) {
      const double expected = 0.5 * std::sin(2 * std::numbers::pi * frequency * static_cast<double>(i) / kToHz);
      worst = std::max(worst, std::abs(resampled[i] - expected));
    }
    // The quality's passband ends at 0.913, where it has lost up to 0.01 dB.
    EXPECT_LT(worst, part < 0.9 ? 2e-5 : 6e-4) << frequency << " Hz";
  }
}

INSTANTIATE_TEST_SUITE_P(Rates, ResamplerSineTest,
                         testing::Values(1000, 8000, 11025, 16000, 22050, 44099, 44100, 48000, 96000, 192000, 383999,
                                         384000),
                         [](const testing::TestParamInfo<int>& info) { return std::to_string(info.param); });

TEST(ResamplerTest, MakesAsManySamplesAsTheTimeHolds) {
  for (const int64_t from_hz : {1000, 7999, 8000, 22050, 31999, 44100, 48000, 383999, 384000}) {
    for (const int64_t count : {1, 2, 3, 5, 6, 7, 12, 100, 441, 1000, 4410, 33333}) {
      const std::vector<float> samples(count, 0.25F);
      const auto expected = static_cast<size_t>(
          std::floor(static_cast<long double>(count) * 32000 / static_cast<long double>(from_hz) + 0.5L));
      EXPECT_EQ(Resample(samples, from_hz, 32000).size(), expected) << count << " samples at " << from_hz << " Hz";
    }
  }
}

TEST(ResamplerTest, DoesNotDependOnThePieces) {
  for (const int from_hz : {1000, 44100, 384000}) {
    const std::vector<float> samples = MakeNoise(from_hz, 1, 1.5).values;
    const std::vector<float> whole = Resample(samples, from_hz, 32000);
    for (const size_t piece : {1, 7, 441, 32768}) {
      EXPECT_TRUE(Resample(samples, from_hz, 32000, piece) == whole) << piece << " samples at " << from_hz << " Hz";
    }
  }
}

TEST(ResamplerTest, KeepsNothingBackButTheFiltersLength) {
  auto resampler = Resampler::Create(1000, 384000);
  ASSERT_TRUE(resampler.ok());
  std::vector<float> resampled;
  for (const float value : MakeNoise(1000, 1, 10).values)
    ASSERT_TRUE((*resampler)->Append({&value, 1}, &resampled).ok());
  EXPECT_GT(resampled.size(), size_t{8 * 384000});
}

TEST(ResamplerTest, IsNeverAheadOfWhatItTook) {
  for (const int64_t from_hz : {1000, 7999, 8000, 16000, 22050, 31999, 32001, 44100, 48000, 96000, 383999, 384000}) {
    auto resampler = Resampler::Create(from_hz, 32000);
    ASSERT_TRUE(resampler.ok());
    std::vector<float> resampled;
    int64_t taken = 0;
    for (const int piece : {1, 1, 7, 100, 441, 1000, 5000, 3, 20000, 1}) {
      ASSERT_TRUE((*resampler)->Append(std::vector<float>(piece, 0.5F), &resampled).ok());
      taken += piece;
      ASSERT_LE(static_cast<int64_t>(resampled.size()), Resampler::ResampledCount(taken, from_hz, 32000)) << from_hz;
    }
  }
}

TEST(ResamplerTest, CountsTheSamplesOfEndlessStreams) {
  constexpr int64_t kMany = int64_t{1} << 62;
  EXPECT_EQ(Resampler::ResampledCount(kMany, 32000, 32000), kMany);
  EXPECT_EQ(Resampler::ResampledCount(kMany, 384000, 32000), (kMany + 6) / 12);
  EXPECT_EQ(Resampler::ResampledCount(int64_t{1} << 57, 1000, 32000), int64_t{1} << 62);
  EXPECT_EQ(Resampler::ResampledCount(int64_t{44100} * 86400 * 365 + 22, 44100, 32000),
            int64_t{32000} * 86400 * 365 + 16);
}

TEST(ResamplerTest, KeepsAnImpulseWhereItIs) {
  std::vector<float> samples(44100);
  samples[22050] = 1;
  const std::vector<float> resampled = Resample(samples, 44100, 32000);
  EXPECT_EQ(std::max_element(resampled.begin(), resampled.end()) - resampled.begin(), 16000);
  for (int i = 1; i < 1000; ++i) EXPECT_NEAR(resampled[16000 - i], resampled[16000 + i], 1e-6) << i;
}

TEST(ResamplerTest, KeepsSilenceSilent) {
  for (const float value : Resample(std::vector<float>(10000), 48000, 32000)) ASSERT_EQ(value, 0);
}

TEST(ResamplerTest, RemovesWhatTheNewRateCannotHold) {
  const std::vector<float> resampled = Resample(MakeSine(18000, 44100, 1, 1).values, 44100, 32000);
  for (size_t i = 2000; i < resampled.size() - 2000; ++i) ASSERT_LT(std::abs(resampled[i]), 1e-5) << i;
}

}  // namespace
}  // namespace hearwire
