#include "server/audio/decode_audio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <string>
#include <thread>
#include <vector>

#include "tests/fixtures/audio_files.h"
#include "tests/fixtures/bad_audio.h"

namespace hearwire {
namespace {

using testing::ElementsAre;
using Encoding = PcmAudio::Encoding;

constexpr int kRateHz = 32000;

std::vector<float> Decode(const AudioSource& source, const AudioLimits& limits = {}) {
  auto result = DecodeAudio(source, limits, kRateHz);
  if (const auto* error = std::get_if<AudioError>(&result)) {
    ADD_FAILURE() << error->status;
    return {};
  }
  return std::get<std::vector<float>>(std::move(result));
}

std::vector<float> DecodePcm(const Sound& sound) {
  const std::string bytes = FloatBytes(sound.values);
  return Decode(PcmAudio{Encoding::kFloat32, sound.sample_rate_hz, sound.channel_count, bytes});
}

std::vector<float> DecodeFile(const std::string& bytes) { return Decode(EncodedAudio{bytes}); }

absl::Status StatusOf(const AudioSource& source, const AudioLimits& limits) {
  const auto result = DecodeAudio(source, limits, kRateHz);
  const auto* error = std::get_if<AudioError>(&result);
  return error == nullptr ? absl::OkStatus() : error->status;
}

// Largest distance from 0.5 sin(2 pi frequency t), away from the edges by 0.1 s.
double DistanceFromSine(const std::vector<float>& clip, double frequency_hz) {
  double worst = clip.size() > kRateHz / 2 ? 0 : 1e9;
  for (size_t i = kRateHz / 10; i + kRateHz / 10 < clip.size(); ++i) {
    const double expected = 0.5 * std::sin(2 * std::numbers::pi * frequency_hz * static_cast<double>(i) / kRateHz);
    worst = std::max(worst, std::abs(clip[i] - expected));
  }
  return worst;
}

TEST(DecodeAudioTest, LeavesMonoFloatsAtTheModelsRateAsTheyAre) {
  std::vector<float> values = MakeNoise(kRateHz, 1, 3).values;
  values[0] = -0.0F;
  values[1] = 1e-42F;
  values[2] = std::numeric_limits<float>::max();
  const std::vector<float> clip = DecodePcm({kRateHz, 1, values});
  ASSERT_EQ(clip.size(), values.size());
  EXPECT_EQ(std::memcmp(clip.data(), values.data(), values.size() * sizeof(float)), 0);
}

TEST(DecodeAudioTest, DividesIntegersBy32768) {
  const std::string bytes = Little16(0) + Little16(1) + Little16(0x7fff) + Little16(0x8000) + Little16(0xffff);
  EXPECT_THAT(Decode(PcmAudio{Encoding::kLinear16, kRateHz, 1, bytes}),
              ElementsAre(0, 1 / 32768.0F, 32767 / 32768.0F, -1, -1 / 32768.0F));
}

TEST(DecodeAudioTest, ReadsSamplesAtAnyAddress) {
  const std::vector<float> values = {0.25F, -0.5F};
  const std::string bytes = "x" + FloatBytes(values);
  EXPECT_EQ(Decode(PcmAudio{Encoding::kFloat32, kRateHz, 1, std::string_view(bytes).substr(1)}), values);
}

TEST(DecodeAudioTest, AveragesTheChannels) {
  const std::string bytes = FloatBytes({1, 2, 3, -1, 0, 4});
  EXPECT_THAT(Decode(PcmAudio{Encoding::kFloat32, kRateHz, 3, bytes}), ElementsAre(2, 1));
}

TEST(DecodeAudioTest, TakesSilence) {
  EXPECT_THAT(DecodePcm(MakeSilence(44100, 2, 0.1)), testing::AllOf(testing::SizeIs(3200), testing::Each(0)));
}

TEST(DecodeAudioTest, TakesTheLowestAndHighestRatesAndManyChannels) {
  for (const int rate : {1000, 384000}) {
    const std::vector<float> clip = DecodePcm(MakeSine(100, rate, 1, 1));
    EXPECT_EQ(clip.size(), size_t{kRateHz});
    EXPECT_LT(DistanceFromSine(clip, 100), 1e-4) << rate;
  }
  Sound sound = MakeSine(440, 44100, 1, 1);
  std::vector<float> many;
  for (const float value : sound.values) many.insert(many.end(), 32, value);
  EXPECT_LT(DistanceFromSine(DecodePcm({44100, 32, many}), 440), 1e-4);
}

TEST(DecodeAudioTest, TakesAClipOfExactlyTheLimit) {
  const AudioLimits limits = {.max_decoded = absl::Seconds(2)};
  const std::string fits = FloatBytes(MakeSilence(8000, 1, 2).values);
  const std::string longer = fits + std::string(4, '\0');
  EXPECT_EQ(Decode(PcmAudio{Encoding::kFloat32, 8000, 1, fits}, limits).size(), size_t{2 * kRateHz});
  EXPECT_EQ(StatusOf(PcmAudio{Encoding::kFloat32, 8000, 1, longer}, limits).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(DecodeAudioTest, NoLimitIsNoLimit) {
  const std::string bytes = FloatBytes(MakeSilence(8000, 1, 2).values);
  EXPECT_EQ(Decode(PcmAudio{Encoding::kFloat32, 8000, 1, bytes}, {.max_decoded = absl::InfiniteDuration()}).size(),
            size_t{2 * kRateHz});
}

TEST(DecodeAudioTest, BelievesNoClaimBeforeItIsDecoded) {
  // 19 hours and 600 thousand hours: memory for either would not be had.
  const std::string flac = WithFlacLength(MakeFlac(MakeNoise(16000, 1, 1)), 1 << 30);
  std::string ogg = MakeOgg(MakeNoise(16000, 1, 4));  // Of several pages.
  const std::vector<size_t> pages = OggPageOffsets(ogg);
  ogg = WithOggPosition(ogg, pages[pages.size() - 2], int64_t{1} << 35);
  const AudioLimits limits = {.max_decoded = absl::InfiniteDuration()};
  for (const std::string& file : {flac, ogg}) {
    const absl::Status status = StatusOf(EncodedAudio{file}, limits);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
  ogg = WithOggPosition(ogg, pages[pages.size() - 2], int64_t{1} << 60);
  EXPECT_EQ(StatusOf(EncodedAudio{ogg}, limits).code(), absl::StatusCode::kResourceExhausted);
}

TEST(DecodeAudioTest, RefusesNoChannels) {
  const std::string bytes(400, '\0');
  EXPECT_EQ(StatusOf(PcmAudio{Encoding::kFloat32, kRateHz, 0, bytes}, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StatusOf(PcmAudio{Encoding::kFloat32, kRateHz, -1, bytes}, {}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(DecodeAudioTest, StopsWhenNobodyWaits) {
  const std::string flac = MakeFlac(MakeNoise(16000, 1, 20));
  int asked = 0;
  const auto result = DecodeAudio(EncodedAudio{flac}, {}, kRateHz, [&asked] { return ++asked == 3; });
  ASSERT_TRUE(std::holds_alternative<AudioError>(result));
  EXPECT_EQ(std::get<AudioError>(result).status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(asked, 3);
}

TEST(DecodeAudioTest, GoesOnWhileSomebodyWaits) {
  const std::string flac = MakeFlac(MakeNoise(16000, 1, 20));
  int asked = 0;
  const auto result = DecodeAudio(EncodedAudio{flac}, {}, kRateHz, [&asked] { return ++asked == 0; });
  EXPECT_TRUE(std::holds_alternative<std::vector<float>>(result));
  EXPECT_GE(asked, 10);  // 320000 samples in pieces of at most 32768.
}

TEST(DecodeAudioTest, AsksForRoomBeforeTheClipGrows) {
  constexpr int64_t kClipBytes = int64_t{600} * 16000 * 2 * sizeof(float);  // Beyond what is reserved for a claim.
  const std::string pcm(size_t{600} * 16000 * 2, '\0');
  int64_t taken = 0;
  int asked = 0;
  const PcmAudio audio{Encoding::kLinear16, 16000, 1, pcm};
  const auto all = DecodeAudio(audio, {}, kRateHz, nullptr, [&](int64_t bytes) {
    taken += bytes;
    return ++asked > 0;
  });
  const auto* clip = std::get_if<std::vector<float>>(&all);
  ASSERT_NE(clip, nullptr);
  EXPECT_GE(taken, kClipBytes);
  EXPECT_EQ(taken, static_cast<int64_t>(clip->capacity() * sizeof(float)));
  EXPECT_GE(asked, 2);

  const auto refused = DecodeAudio(audio, {}, kRateHz, nullptr, [&](int64_t) { return --asked > 0; });
  ASSERT_TRUE(std::holds_alternative<AudioError>(refused));
  EXPECT_EQ(std::get<AudioError>(refused).status.code(), absl::StatusCode::kCancelled);
}

TEST(DecodeAudioTest, AsksForRoomOnceWhereTheLengthIsKnown) {
  for (const int rate_hz : {1000, 8000, kRateHz, 44100}) {
    const std::string wav = MakeWav(MakeNoise(rate_hz, 1, 20));
    int asked = 0;
    DecodeAudio(EncodedAudio{wav}, {}, kRateHz, nullptr, [&](int64_t) { return ++asked > 0; });
    EXPECT_EQ(asked, 1) << rate_hz;
  }
}

TEST(DecodeAudioTest, CountsTheSamplesOfPcmWithoutDecodingThem) {
  for (const int64_t rate_hz : {8000, 32000, 44100, 48000}) {
    const std::string bytes(10007 * 4, '\0');
    const PcmAudio stereo{Encoding::kLinear16, rate_hz, 2, bytes};
    EXPECT_EQ(CountDecodedSamples(stereo, {}, kRateHz), static_cast<int64_t>(Decode(stereo).size())) << rate_hz;
  }
}

TEST(DecodeAudioTest, CountsTheSamplesOfAWavFileWithoutDecodingThem) {
  const auto count = [](std::string_view bytes, const AudioLimits& limits = {}) {
    return CountDecodedSamples(EncodedAudio{bytes}, limits, kRateHz);
  };
  const Sound sound = MakeNoise(44100, 2, 0.5);
  const std::string wav = MakeWav(sound);
  EXPECT_EQ(count(wav), static_cast<int64_t>(DecodeFile(wav).size()));
  const std::string floats = MakeFile(sound, SF_FORMAT_WAVEX | SF_FORMAT_FLOAT);
  EXPECT_EQ(count(floats), static_cast<int64_t>(DecodeFile(floats).size()));
  EXPECT_EQ(count(std::string_view(wav).substr(0, wav.size() - 1)), 0) << "cut off";
  EXPECT_EQ(count(wav, {.max_decoded = absl::Milliseconds(400)}), 0);
  EXPECT_EQ(count(wav, {.max_channel_count = 1}), 0);
  EXPECT_EQ(count(wav, {.min_sample_rate_hz = 48000}), 0);
  EXPECT_EQ(count(MakeFile(sound, SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM)), 0) << "its blocks may be padded";
  EXPECT_EQ(count(MakeOgg(sound)), 0);
  EXPECT_EQ(count("no audio"), 0);
}

TEST(DecodeAudioTest, CountsTheSamplesThatAFlacFileClaims) {
  const auto count = [](std::string_view bytes, const AudioLimits& limits = {}) {
    return CountDecodedSamples(EncodedAudio{bytes}, limits, kRateHz);
  };
  const std::string flac = MakeFlac(MakeNoise(44100, 2, 0.5));
  EXPECT_EQ(count(flac), static_cast<int64_t>(DecodeFile(flac).size()));
  EXPECT_EQ(count(flac.substr(0, 42)), 16000) << "all that is needed";
  EXPECT_EQ(count(flac.substr(0, 41)), 0);
  EXPECT_EQ(count(WithFlacLength(flac, 0)), 0) << "it does not know";
  EXPECT_EQ(count(flac, {.max_decoded = absl::Milliseconds(400)}), 0);
  EXPECT_EQ(count(flac, {.max_channel_count = 1}), 0);
  EXPECT_EQ(count(flac, {.min_sample_rate_hz = 48000}), 0);
}

TEST(DecodeAudioTest, CountsNoSamplesOfPcmThatIsRefused) {
  const std::string bytes(32000, '\0');
  EXPECT_EQ(CountDecodedSamples(PcmAudio{Encoding::kUnspecified, kRateHz, 1, bytes}, {}, kRateHz), 0);
  EXPECT_EQ(CountDecodedSamples(PcmAudio{Encoding::kFloat32, 0, 1, bytes}, {}, kRateHz), 0);
  EXPECT_EQ(CountDecodedSamples(PcmAudio{Encoding::kFloat32, kRateHz, 0, bytes}, {}, kRateHz), 0);
  EXPECT_EQ(CountDecodedSamples(PcmAudio{Encoding::kFloat32, kRateHz, 3, bytes}, {}, kRateHz), 0);
  const AudioLimits short_clips = {.max_decoded = absl::Milliseconds(100)};
  EXPECT_EQ(CountDecodedSamples(PcmAudio{Encoding::kFloat32, kRateHz, 1, bytes}, short_clips, kRateHz), 0);
}

TEST(DecodeAudioTest, DecodesOnManyThreadsAtOnce) {
  const Sound sound = MakeSine(440, 44100, 2, 2);
  const std::vector<std::string> files = {MakeOgg(sound), MakeMp3(sound), MakeFlac(sound), MakeWav(sound)};
  std::vector<std::vector<float>> alone;
  for (const std::string& file : files) alone.push_back(DecodeFile(file));
  std::vector<std::vector<float>> together(16);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < together.size(); ++i) {
    threads.emplace_back([&, i] { together[i] = DecodeFile(files[i % files.size()]); });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < together.size(); ++i) EXPECT_EQ(together[i], alone[i % alone.size()]) << i;
}

TEST(DecodeAudioTest, WritesNothingToStandardError) {
  const AudioLimits limits = {.max_decoded = absl::Seconds(5)};
  std::vector<BadAudio> catalogue = BadAudioCatalogue(limits);
  testing::internal::CaptureStderr();
  for (const BadAudio& bad : catalogue) StatusOf(bad.source(), limits).IgnoreError();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace hearwire
