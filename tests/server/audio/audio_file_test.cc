// What DecodeAudio makes of files: every accepted kind, and the ways in which real files differ from the textbook's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <ostream>
#include <string>
#include <vector>

#include "server/audio/decode_audio.h"
#include "tests/fixtures/audio_files.h"
#include "tests/fixtures/shared_data.h"
#include "tests/server/audio/decode.h"

namespace hearwire {
namespace {

constexpr int kRateHz = 32000;

struct Kind {
  std::string name;
  int format;
  int sample_rate_hz;
  int channel_count;
  double tolerance;
  int64_t extra_samples = 0;  // At 32 kHz: what the format's last block may add.
};

std::ostream& operator<<(std::ostream& out, const Kind& kind) { return out << kind.name; }

class AudioFileTest : public testing::TestWithParam<Kind> {};

// The channels' sines at 440, 880, … Hz arrive as their mean, in time, at full length.
TEST_P(AudioFileTest, DecodesToItsSound) {
  const Kind& kind = GetParam();
  const double frequency_hz = kind.channel_count > 8 ? 100 : 440;
  const Sound sound = MakeSine(frequency_hz, kind.sample_rate_hz, kind.channel_count, 2);
  const std::vector<float> clip = Decode(MakeFile(sound, kind.format));
  ASSERT_GE(clip.size(), 2 * kRateHz);
  ASSERT_LE(clip.size(), 2 * kRateHz + kind.extra_samples);
  double worst = 0;
  for (size_t i = kRateHz / 10; i < kRateHz * 19 / 10; ++i) {
    double expected = 0;
    for (int channel = 1; channel <= kind.channel_count; ++channel) {
      expected += 0.5 * std::sin(2 * std::numbers::pi * frequency_hz * channel * static_cast<double>(i) / kRateHz);
    }
    worst = std::max(worst, std::abs(clip[i] - expected / kind.channel_count));
  }
  EXPECT_LT(worst, kind.tolerance);
}

INSTANTIATE_TEST_SUITE_P(Kinds, AudioFileTest,
                         testing::ValuesIn(std::vector<Kind>{
                             {"Wav8", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 44100, 1, 0.01},
                             {"Wav16", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
                             {"Wav16At32Kilohertz", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 32000, 1, 1e-4},
                             {"Wav24", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 48000, 6, 1e-5},
                             {"Wav32", SF_FORMAT_WAV | SF_FORMAT_PCM_32, 96000, 1, 1e-5},
                             {"WavFloat", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 384000, 2, 1e-5},
                             {"WavDouble", SF_FORMAT_WAV | SF_FORMAT_DOUBLE, 22050, 32, 1e-5},
                             {"WavALaw", SF_FORMAT_WAV | SF_FORMAT_ALAW, 8000, 1, 0.02},
                             {"WavMuLaw", SF_FORMAT_WAV | SF_FORMAT_ULAW, 8000, 1, 0.02},
                             {"WavImaAdpcm", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 44100, 2, 0.02, 1500},
                             {"WavMsAdpcm", SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, 44100, 1, 0.02, 1500},
                             {"WavGsm", SF_FORMAT_WAV | SF_FORMAT_GSM610, 8000, 1, 0.2, 1280},
                             {"WavExtensible16", SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
                             {"WavExtensible24", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, 44100, 4, 1e-5},
                             {"WavExtensibleFloat", SF_FORMAT_WAVEX | SF_FORMAT_FLOAT, 44100, 1, 1e-5},
                             {"Flac8", SF_FORMAT_FLAC | SF_FORMAT_PCM_S8, 16000, 1, 0.01},
                             {"Flac16", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 44100, 2, 1e-4},
                             {"Flac24", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 96000, 8, 1e-5},
                             {"OggVorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 44100, 2, 0.03},
                             {"OggVorbis8Kilohertz", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 8000, 1, 0.03},
                             {"OggOpus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 48000, 2, 0.03},
                             {"OggOpus16Kilohertz", SF_FORMAT_OGG | SF_FORMAT_OPUS, 16000, 1, 0.1},
                             {"Mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44100, 2, 0.03},
                             {"Mp3At16Kilohertz", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 16000, 1, 0.03},
                         }),
                         [](const testing::TestParamInfo<Kind>& info) { return info.param.name; });

TEST(AudioFileTest, LosslessFilesAreExact) {
  const Sound sound = MakeNoise(kRateHz, 1, 1);
  const std::string pcm = Linear16Bytes(sound.values);
  const auto expected = DecodeAudio(PcmAudio{PcmAudio::Encoding::kLinear16, kRateHz, 1, pcm}, {}, kRateHz);
  EXPECT_EQ(Decode(MakeWav(sound)), std::get<std::vector<float>>(expected));
  EXPECT_EQ(Decode(MakeFlac(sound)), std::get<std::vector<float>>(expected));
  EXPECT_EQ(Decode(MakeFile(sound, SF_FORMAT_WAV | SF_FORMAT_FLOAT)), sound.values);
  EXPECT_EQ(Decode(MakeFile(sound, SF_FORMAT_WAV | SF_FORMAT_DOUBLE)), sound.values);
}

TEST(AudioFileTest, CompressedFilesKeepTheirLength) {
  const Sound sound = MakeNoise(48000, 1, 1.2345);
  const size_t expected = 39504;  // 1.2345 s at 32 kHz.
  EXPECT_EQ(Decode(MakeFlac(sound)).size(), expected);
  EXPECT_EQ(Decode(MakeOgg(sound)).size(), expected);
  EXPECT_EQ(Decode(MakeOpus(sound)).size(), expected);
  EXPECT_EQ(Decode(MakeMp3(sound)).size(), expected);
  EXPECT_EQ(Decode(MakeVariableMp3(sound)).size(), expected);
}

TEST(FlacFileTest, UnknownLengthIsReadToTheEnd) {
  const std::string flac = MakeFlac(MakeNoise(44100, 2, 3));
  EXPECT_EQ(Decode(WithFlacLength(flac, 0)), Decode(flac));
}

TEST(FlacFileTest, MetadataIsSkipped) {
  const std::string flac = MakeFlac(MakeNoise(44100, 2, 1));
  const std::string picture = std::string("\x06\x10\0\0", 4) + std::string(0x100000, '\xff');
  std::string blocks;
  for (int i = 0; i < 20; ++i) blocks += picture;
  EXPECT_EQ(Decode(flac.substr(0, 42) + blocks + flac.substr(42)), Decode(flac));
}

TEST(FlacFileTest, TagsAreIgnored) {
  const std::string flac = MakeFlac(MakeSine(440, 44100, 1, 1));
  const std::string with_footer = std::string("ID3\x04\0\x10\0\0\0\x08", 10) + std::string(8 + 10, 'x');
  EXPECT_EQ(Decode(with_footer + flac), Decode(flac));
  EXPECT_EQ(Decode(std::string("ID3\x03\0\0\0\0\0\x20", 10) + std::string(32, 'x') + flac), Decode(flac));
  EXPECT_EQ(Decode(flac + "TAG" + std::string(125, '\xff')), Decode(flac)) << "ID3v1";
}

TEST(Esc10Test, RealOggFilesDecodeToTheirLength) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SharedDataDir() + "/esc10")) {
    if (entry.path().extension() != ".ogg") continue;
    ++files;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    // The last page ends at the last sample, at 44.1 kHz.
    const std::vector<size_t> pages = OggPageOffsets(bytes);
    int64_t samples = 0;
    std::memcpy(&samples, bytes.data() + pages[pages.size() - 2] + 6, sizeof(samples));
    const std::vector<float> clip = Decode(bytes);
    EXPECT_EQ(clip.size(), static_cast<size_t>((samples * kRateHz + 22050) / 44100)) << entry.path();
    EXPECT_GT(*std::max_element(clip.begin(), clip.end()), 0) << entry.path();
  }
  EXPECT_EQ(files, 400);
}

}  // namespace
}  // namespace hearwire
