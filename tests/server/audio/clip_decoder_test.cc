#include "server/audio/clip_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"
#include "tests/fixtures/audio_files.h"
#include "tests/fixtures/bad_audio.h"

namespace hearwire {
namespace {

using Progress = ClipDecoder::Progress;

constexpr int kRateHz = 32000;

// The samples of each step.
struct Steps {
  std::vector<std::vector<float>> samples;
  std::optional<AudioError> error;

  std::vector<float> All() const {
    std::vector<float> all;
    for (const auto& step : samples) all.insert(all.end(), step.begin(), step.end());
    return all;
  }
};

Steps Decode(const AudioSource& source, const AudioLimits& limits = {}) {
  Steps steps;
  ClipDecoder decoder(source, limits, kRateHz);
  int64_t total = 0;
  while (true) {
    const int64_t most = decoder.MostAfterStep();
    auto progress = decoder.Step(&steps.samples.emplace_back());
    total += static_cast<int64_t>(steps.samples.back().size());
    EXPECT_LE(total, most);
    if (auto* error = std::get_if<AudioError>(&progress)) {
      steps.error = std::move(*error);
      return steps;
    }
    if (std::get<Progress>(progress) == Progress::kEnd) return steps;
  }
}

struct Kind {
  std::string name;
  std::string bytes;
};
std::ostream& operator<<(std::ostream& out, const Kind& kind) { return out << kind.name; }

std::vector<Kind> Kinds() {
  const Sound low = MakeNoise(1000, 1, 20);
  const Sound model = MakeNoise(kRateHz, 1, 3);
  const Sound high = MakeNoise(44100, 2, 3);
  return {{"LowWav", MakeWav(low)}, {"WavAtTheModelsRate", MakeWav(model)},
          {"Wav", MakeWav(high)},   {"Flac", MakeFlac(high)},
          {"Ogg", MakeOgg(high)},   {"Opus", MakeOpus(MakeNoise(48000, 1, 3))},
          {"Mp3", MakeMp3(high)},   {"UntaggedMp3", WithoutMp3InfoTag(MakeMp3(high))}};
}

class ClipDecoderTest : public testing::TestWithParam<Kind> {};

TEST_P(ClipDecoderTest, MakesTheClipInSmallSteps) {
  const Steps steps = Decode(EncodedAudio{GetParam().bytes});
  ASSERT_FALSE(steps.error) << steps.error->status;
  EXPECT_EQ(steps.All(), std::get<std::vector<float>>(DecodeAudio(EncodedAudio{GetParam().bytes}, {}, kRateHz)));
  EXPECT_TRUE(steps.samples.front().empty()) << "opening";
  // The resampler lets go of what it held back in one piece at times.
  for (const auto& samples : steps.samples) EXPECT_LE(samples.size(), 4 * ClipDecoder::kStepSamples);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ClipDecoderTest, testing::ValuesIn(Kinds()),
                         [](const testing::TestParamInfo<Kind>& info) { return info.param.name; });

TEST(ClipDecoderTest, FailsAsDecodeAudioDoes) {
  const AudioLimits limits = {.max_decoded = absl::Seconds(5)};
  for (const BadAudio& bad : BadAudioCatalogue(limits)) {
    const Steps steps = Decode(bad.source(), limits);
    ASSERT_TRUE(steps.error) << bad.name;
    const AudioError expected = std::get<AudioError>(DecodeAudio(bad.source(), limits, kRateHz));
    EXPECT_EQ(steps.error->status, expected.status) << bad.name;
    EXPECT_EQ(steps.error->field, expected.field) << bad.name;
  }
}

TEST(ClipDecoderTest, GivesTheSamplesBeforeAFault) {
  std::vector<float> values = MakeNoise(kRateHz, 1, 4).values;
  values[100000] = std::numeric_limits<float>::quiet_NaN();
  const std::string bytes = FloatBytes(values);
  const Steps steps = Decode(PcmAudio{PcmAudio::Encoding::kFloat32, kRateHz, 1, bytes});
  ASSERT_TRUE(steps.error);
  EXPECT_THAT(std::string(steps.error->status.message()), testing::HasSubstr("sample 100000 of channel 0"));
  EXPECT_THAT(std::string(steps.error->status.message()), testing::HasSubstr("at 3.125 s"));
  const std::vector<float> before = steps.All();
  EXPECT_GE(before.size(), 100000 - ClipDecoder::kStepSamples);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), values.begin()));
}

TEST(ClipDecoderTest, KnowsWhatTheSourceClaimsOnceItIsOpen) {
  const Sound sound = MakeNoise(44100, 2, 3);
  for (const std::string& bytes : {MakeWav(sound), MakeFlac(sound), MakeOgg(sound), MakeMp3(sound)}) {
    ClipDecoder decoder(EncodedAudio{bytes}, {}, kRateHz);
    EXPECT_EQ(decoder.claimed_samples(), std::nullopt);
    std::vector<float> samples;
    decoder.Step(&samples);
    EXPECT_EQ(decoder.claimed_samples(), 3 * kRateHz);
  }
  const std::string endless = WithFlacLength(MakeFlac(sound), 0);
  ClipDecoder decoder(EncodedAudio{endless}, {}, kRateHz);
  std::vector<float> samples;
  decoder.Step(&samples);
  EXPECT_EQ(decoder.claimed_samples(), std::nullopt);
}

TEST(ClipDecoderTest, OpensALargeOggFileInManySteps) {
  constexpr size_t kBytesPerStep = 256 << 10;
  const std::string ogg = MakeOgg(MakeNoise(44100, 2, 40));
  ASSERT_GT(ogg.size(), 2 * kBytesPerStep);
  ClipDecoder decoder(EncodedAudio{ogg}, {}, kRateHz);
  std::vector<float> samples;
  for (size_t i = 0; i < ogg.size() / kBytesPerStep; ++i) {
    const auto progress = decoder.Step(&samples);
    ASSERT_TRUE(std::holds_alternative<Progress>(progress)) << std::get<AudioError>(progress).status;
    ASSERT_EQ(decoder.MostAfterStep(), 0) << "still opening";
  }
  decoder.Step(&samples);
  EXPECT_GT(decoder.MostAfterStep(), 0);
}

// libFLAC would look for the next frame in all of it before it returns.
TEST(ClipDecoderTest, LooksForALostFrameForAMomentOnly) {
  const std::string flac = MakeFlac(MakeNoise(44100, 2, 1));
  const auto cpu_seconds = [] {
    timespec time = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const auto cost = [&](size_t mebibytes) {
    const std::string lost = flac.substr(0, flac.size() / 2) + std::string(mebibytes << 20, '\0');
    const double begin = cpu_seconds();
    const Steps steps = Decode(EncodedAudio{lost});
    const std::string message = steps.error ? std::string(steps.error->status.message()) : "";
    EXPECT_THAT(message, testing::HasSubstr("1.000 s claimed"));
    return cpu_seconds() - begin;
  };
  EXPECT_LT(cost(96), 2 * cost(8) + 0.005);
}

}  // namespace
}  // namespace hearwire
