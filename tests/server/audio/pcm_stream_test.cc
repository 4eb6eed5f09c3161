#include "server/audio/pcm_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"
#include "tests/fixtures/audio_files.h"
#include "tests/fixtures/bad_audio.h"

namespace hearwire {
namespace {

using testing::HasSubstr;
using Encoding = PcmAudio::Encoding;

constexpr int kRateHz = 32000;

std::unique_ptr<PcmStream> Open(const PcmAudio& format, int64_t first_sample = 0) {
  auto stream = PcmStream::Create(format, {}, first_sample, kRateHz);
  if (const auto* error = std::get_if<AudioError>(&stream)) {
    ADD_FAILURE() << error->status;
    return nullptr;
  }
  return std::get<0>(std::move(stream));
}

// Sends the audio in pieces of 0 to most_bytes bytes.
std::optional<AudioError> Send(const PcmAudio& audio, size_t most_bytes, std::mt19937* random,
                               std::vector<float>* samples) {
  const std::unique_ptr<PcmStream> stream = Open(audio);
  for (std::string_view rest = audio.samples; !rest.empty();) {
    const size_t piece = std::min(rest.size(), size_t{(*random)()} % (most_bytes + 1));
    if (auto error = stream->Append(rest.substr(0, piece), samples)) return error;
    rest.remove_prefix(piece);
  }
  return stream->Finish(samples);
}

TEST(PcmStreamTest, MakesWhatTheWholeMakesHoweverItIsCut) {
  std::mt19937 random(1);
  for (const Encoding encoding : {Encoding::kLinear16, Encoding::kFloat32}) {
    for (const int rate_hz : {1000, 8000, kRateHz, 44100, 384000}) {
      for (const int channels : {1, 2, 3, 32}) {
        const std::vector<float> values = MakeNoise(rate_hz, channels, 3000.0 / rate_hz).values;
        const std::string bytes = encoding == Encoding::kFloat32 ? FloatBytes(values) : Linear16Bytes(values);
        const PcmAudio audio{encoding, rate_hz, channels, bytes};
        const auto whole = std::get<std::vector<float>>(DecodeAudio(audio, {}, kRateHz));
        for (const size_t most_bytes : {1, 5, 100, 5000, 1 << 20}) {
          std::vector<float> samples;
          const auto error = Send(audio, most_bytes, &random, &samples);
          ASSERT_FALSE(error) << error->status;
          ASSERT_EQ(samples, whole) << rate_hz << " Hz, " << channels << " channels, pieces of " << most_bytes;
        }
      }
    }
  }
}

TEST(PcmStreamTest, GivesSamplesAtOnceWhereTheRateStays) {
  const std::unique_ptr<PcmStream> stream = Open({Encoding::kLinear16, kRateHz, 2, {}});
  std::vector<float> samples;
  const std::string bytes = Little16(16384) + Little16(0) + Little16(32767);
  ASSERT_FALSE(stream->Append(bytes, &samples));
  EXPECT_EQ(samples, std::vector<float>({0.25F}));
  EXPECT_EQ(stream->samples_taken(), 1);
  ASSERT_FALSE(stream->Append(Little16(0x8000), &samples));
  EXPECT_EQ(samples.size(), 2);
  EXPECT_EQ(stream->samples_taken(), 2);
}

TEST(PcmStreamTest, AStepsBytesMakeFewSamples) {
  for (const int rate_hz : {1000, 8000, kRateHz, 44100, 384000}) {
    const std::unique_ptr<PcmStream> stream = Open({Encoding::kLinear16, rate_hz, 2, {}});
    const std::string bytes(stream->step_bytes(), '\0');
    size_t most = 0;
    for (int i = 0; i < 20; ++i) {
      std::vector<float> samples;
      ASSERT_FALSE(stream->Append(bytes, &samples));
      most = std::max(most, samples.size());
    }
    // The resampler lets go of what it held back in one piece at times.
    EXPECT_GE(most, 8000) << rate_hz;
    EXPECT_LE(most, 4 * 8192) << rate_hz;
  }
}

TEST(PcmStreamTest, FailsAsTheWholeDoes) {
  std::mt19937 random(2);
  const AudioLimits limits = {.max_decoded = absl::Seconds(5)};
  int checked = 0;
  for (const BadAudio& bad : BadAudioCatalogue(limits)) {
    // A stream has no length.
    if (!bad.is_pcm || bad.code == absl::StatusCode::kResourceExhausted) continue;
    ++checked;
    const AudioError expected = std::get<AudioError>(DecodeAudio(bad.source(), limits, kRateHz));
    const auto audio = std::get<PcmAudio>(bad.source());
    auto created = PcmStream::Create(audio, limits, 0, kRateHz);
    std::optional<AudioError> error;
    if (auto* format_error = std::get_if<AudioError>(&created)) {
      error = *format_error;
    } else {
      std::vector<float> samples;
      error = Send(audio, 100, &random, &samples);
    }
    ASSERT_TRUE(error) << bad.name;
    EXPECT_EQ(error->status, expected.status) << bad.name;
    EXPECT_EQ(error->field, expected.field) << bad.name;
  }
  EXPECT_GE(checked, 12);
}

TEST(PcmStreamTest, CountsFromTheRecordingsStart) {
  const std::unique_ptr<PcmStream> stream = Open({Encoding::kFloat32, 44100, 1, {}}, int64_t{44100} * 86400);
  std::vector<float> samples;
  std::vector<float> values(44100);
  ASSERT_FALSE(stream->Append(FloatBytes(values), &samples));
  values[22050] = -std::numeric_limits<float>::infinity();
  const std::optional<AudioError> error = stream->Append(FloatBytes(values), &samples);
  ASSERT_TRUE(error);
  EXPECT_THAT(std::string(error->status.message()), HasSubstr("sample 3810306150 of channel 0"));
  EXPECT_THAT(std::string(error->status.message()), HasSubstr("at 86401.500 s"));
}

TEST(PcmStreamTest, GivesWhatIsReadyBeforeABadSample) {
  for (const int rate_hz : {8000, kRateHz, 44100}) {
    for (const int64_t first : {int64_t{0}, int64_t{rate_hz} / 2}) {
      std::vector<float> values = MakeNoise(rate_hz, 2, 1).values;
      const size_t bad = values.size() * 3 / 4 + 1;
      values[bad] = std::numeric_limits<float>::quiet_NaN();
      const std::string bytes = FloatBytes(values);
      const PcmAudio format{Encoding::kFloat32, rate_hz, 2, {}};
      std::vector<float> cut_before;
      ASSERT_FALSE(Open(format, first)->Append(std::string_view(bytes).substr(0, bad / 2 * 8), &cut_before));
      std::vector<float> samples;
      ASSERT_TRUE(Open(format, first)->Append(bytes, &samples));
      EXPECT_GT(samples.size(), kRateHz / 8);
      EXPECT_EQ(samples, cut_before) << rate_hz;
    }
  }
}

TEST(PcmStreamTest, GoesOnWithTheSamplesOfTheWhole) {
  std::mt19937 random(4);
  for (const int rate_hz : {1000, 8000, 11025, 22050, 24000, kRateHz, 44100, 48000, 96000, 384000}) {
    const std::string bytes = FloatBytes(MakeNoise(rate_hz, 1, 3).values);
    const PcmAudio audio{Encoding::kFloat32, rate_hz, 1, bytes};
    const auto whole = std::get<std::vector<float>>(DecodeAudio(audio, {}, kRateHz));
    for (int i = 0; i < 10; ++i) {
      const int64_t first = 1 + random() % (2 * rate_hz);
      const std::unique_ptr<PcmStream> stream = Open(audio, first);
      std::vector<float> samples;
      for (std::string_view rest = std::string_view(bytes).substr(first * 4); !rest.empty();) {
        const size_t piece = std::min(rest.size(), size_t{random()} % 20000);
        ASSERT_FALSE(stream->Append(rest.substr(0, piece), &samples));
        rest.remove_prefix(piece);
      }
      ASSERT_FALSE(stream->Finish(&samples));
      EXPECT_EQ(stream->samples_taken(), 3 * rate_hz - first);
      EXPECT_EQ(samples, std::vector<float>(whole.begin() + stream->first_mono_sample(), whole.end())) << rate_hz;
    }
  }
}

TEST(PcmStreamTest, GoesOnNearlyAsTheWholeAtRatesWithoutACommonInstant) {
  for (const int rate_hz : {7919, 31999, 44099, 383999}) {
    const std::string bytes = FloatBytes(MakeNoise(rate_hz, 1, 4).values);
    const PcmAudio audio{Encoding::kFloat32, rate_hz, 1, bytes};
    const auto whole = std::get<std::vector<float>>(DecodeAudio(audio, {}, kRateHz));
    const std::unique_ptr<PcmStream> stream = Open(audio, rate_hz / 2);
    std::vector<float> samples;
    ASSERT_FALSE(stream->Append(std::string_view(bytes).substr(rate_hz / 2 * 4), &samples));
    ASSERT_FALSE(stream->Finish(&samples));
    ASSERT_EQ(stream->first_mono_sample() + samples.size(), whole.size());
    for (size_t i = 0; i < samples.size(); ++i) {
      ASSERT_NEAR(samples[i], whole[stream->first_mono_sample() + i], 2e-5) << rate_hz << " " << i;
    }
  }
}

TEST(PcmStreamTest, TellsWhereToGoOn) {
  for (const int rate_hz : {1000, 8000, 11025, kRateHz, 44100, 48000, 384000}) {
    const PcmAudio format{Encoding::kFloat32, rate_hz, 1, {}};
    for (const int64_t mono_sample : {0, 1, 159, 160, 161, 5000, 5440, 32000, 123456789}) {
      const int64_t resume = PcmStream::ResumeSample(mono_sample, rate_hz, kRateHz);
      EXPECT_LE(Open(format, resume)->first_mono_sample(), mono_sample);
      EXPECT_GT(Open(format, resume + 1)->first_mono_sample(), mono_sample) << "no later one has it";
    }
  }
}

TEST(PcmStreamTest, AStreamThatGoesOnMayHaveNothingMore) {
  std::vector<float> samples;
  EXPECT_FALSE(Open({Encoding::kFloat32, kRateHz, 1, {}}, 5)->Finish(&samples));
  EXPECT_TRUE(Open({Encoding::kFloat32, kRateHz, 1, {}}, 0)->Finish(&samples));
  const std::unique_ptr<PcmStream> half = Open({Encoding::kFloat32, kRateHz, 1, {}}, 5);
  ASSERT_FALSE(half->Append("abc", &samples));
  EXPECT_TRUE(half->Finish(&samples));
}

TEST(PcmStreamTest, RefusesFirstSamplesOutOfRange) {
  for (const int64_t first : {int64_t{-1}, PcmStream::kMaxFirstSample + 1, std::numeric_limits<int64_t>::max()}) {
    const auto stream = PcmStream::Create({Encoding::kFloat32, kRateHz, 1, {}}, {}, first, kRateHz);
    ASSERT_TRUE(std::holds_alternative<AudioError>(stream)) << first;
    EXPECT_EQ(std::get<AudioError>(stream).status.code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_NE(Open({Encoding::kFloat32, kRateHz, 1, {}}, PcmStream::kMaxFirstSample), nullptr);
}

}  // namespace
}  // namespace hearwire
