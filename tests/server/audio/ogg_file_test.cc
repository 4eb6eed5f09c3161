// What DecodeAudio makes of Ogg files: what their headers and pages say, and the ways in which real ones differ.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"
#include "tests/fixtures/audio_files.h"
#include "tests/server/audio/decode.h"

namespace hearwire {
namespace {

constexpr int kRateHz = 32000;
constexpr size_t kOpusHead = 28;  // Behind the first page's header.

std::vector<float> Joined(std::vector<float> first, const std::vector<float>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

int64_t LastPosition(const std::string& ogg, size_t pages_from_end = 1) {
  const std::vector<size_t> pages = OggPageOffsets(ogg);
  int64_t position = 0;
  std::copy_n(ogg.data() + pages[pages.size() - 1 - pages_from_end] + 6, 8, reinterpret_cast<char*>(&position));
  return position;
}

TEST(OggFileTest, BytesAfterTheLastPageAreIgnored) {
  const std::string ogg = MakeOgg(MakeSine(440, 44100, 1, 1));
  EXPECT_EQ(Decode(ogg + "TAG" + std::string(125, ' ')), Decode(ogg));
}

TEST(OggFileTest, ARecordingThatBeginsInTheMiddleIsTaken) {
  const std::string ogg = MakeOgg(MakeNoise(16000, 1, 10));
  const std::vector<size_t> pages = OggPageOffsets(ogg);
  ASSERT_GT(pages.size(), size_t{8});
  // The headers are on the first two pages.
  const std::vector<float> clip = Decode(ogg.substr(0, pages[2]) + ogg.substr(pages[4]));
  EXPECT_GT(clip.size(), size_t{kRateHz * 5});
  EXPECT_LT(clip.size(), size_t{kRateHz * 10});
}

// Live recorders cannot know which page is the last one.
TEST(OggFileTest, AWholeFileWithoutAMarkedEndIsWhole) {
  for (const std::string& ogg : {MakeOgg(MakeNoise(44100, 1, 1.1)), MakeOpus(MakeNoise(48000, 1, 1.1))}) {
    EXPECT_EQ(Decode(WithoutOggEnd(ogg)), Decode(ogg));
    const std::vector<size_t> pages = OggPageOffsets(ogg);
    const std::vector<float> clip = Decode(ogg.substr(0, pages[pages.size() - 2]));
    EXPECT_LT(clip.size(), size_t{kRateHz * 11 / 10});
  }
}

// The page of the last header holds packets of audio.
TEST(OggFileTest, AudioOnTheLastHeadersPageIsTaken) {
  const std::string ogg = MakeOgg(MakeNoise(16000, 1, 4));
  const std::vector<size_t> pages = OggPageOffsets(ogg);
  const auto segments = [&](size_t page) { return static_cast<uint8_t>(ogg[pages[page] + 26]); };
  // Pages 1 and 2 as one: the headers, then the first audio.
  std::string joined = ogg.substr(pages[2], 26);
  joined += static_cast<char>(segments(1) + segments(2));
  joined += ogg.substr(pages[1] + 27, segments(1)) + ogg.substr(pages[2] + 27, segments(2));
  joined += ogg.substr(pages[1] + 27 + segments(1), pages[2] - pages[1] - 27 - segments(1));
  joined += ogg.substr(pages[2] + 27 + segments(2), pages[3] - pages[2] - 27 - segments(2));
  ASSERT_LE(segments(1) + segments(2), 255);
  joined = WithOggBytes(joined, 18, Little32(1));
  std::string rest = ogg.substr(pages[3]);
  EXPECT_EQ(Decode(ogg.substr(0, pages[1]) + joined + rest), Decode(ogg));
}

TEST(OggFileTest, AChainIsOneSound) {
  for (const auto make : {MakeOgg, MakeOpus}) {
    const std::string first = make(MakeNoise(48000, 2, 1));
    const std::string second = make(MakeNoise(48000, 2, 0.5));
    EXPECT_EQ(Decode(first + second, 48000), Joined(Decode(first, 48000), Decode(second, 48000)));
    EXPECT_EQ(Decode(WithoutOggEnd(first) + second, 48000), Joined(Decode(first, 48000), Decode(second, 48000)));
  }
}

// 64 bytes are enough to ask for a difference that no integer holds.
TEST(OggFileTest, AnyPositionIsHeld) {
  const std::string ogg = MakeOgg(MakeNoise(16000, 1, 4));
  const std::vector<size_t> pages = OggPageOffsets(ogg);
  for (const int64_t position : {INT64_MIN, INT64_MIN + 1, INT64_C(-2), INT64_MAX}) {
    for (const size_t page : {size_t{2}, pages.size() - 2}) {
      const std::string odd = WithOggPosition(ogg, pages[page], position);
      DecodeAudio(EncodedAudio{odd}, {}, kRateHz);
      DecodeAudio(EncodedAudio{std::string_view(odd).substr(0, odd.size() - 1)}, {}, kRateHz);
    }
  }
}

TEST(OggFileTest, FlacInOggIsFlac) {
  const Sound sound = MakeNoise(44100, 2, 1);
  for (const int width : {SF_FORMAT_PCM_S8, SF_FORMAT_PCM_16, SF_FORMAT_PCM_24}) {
    const std::string ogg = MakeOggFlac(sound, width);
    const std::vector<float> expected = Decode(MakeFile(sound, SF_FORMAT_FLAC | width));
    EXPECT_EQ(expected.size(), size_t{kRateHz});
    EXPECT_EQ(Decode(ogg), expected);
    EXPECT_EQ(Decode(ogg + ogg, 44100).size(), size_t{2 * 44100});
    const auto cut = DecodeAudio(EncodedAudio{std::string_view(ogg).substr(0, ogg.size() / 2)}, {}, kRateHz);
    EXPECT_TRUE(std::holds_alternative<AudioError>(cut));
    const std::vector<size_t> pages = OggPageOffsets(ogg);
    const auto short_of_pages =
        DecodeAudio(EncodedAudio{std::string_view(ogg).substr(0, pages[pages.size() / 2])}, {}, kRateHz);
    ASSERT_TRUE(std::holds_alternative<AudioError>(short_of_pages));
    EXPECT_THAT(std::string(std::get<AudioError>(short_of_pages).status.message()),
                testing::HasSubstr("1.000 s claimed"));
  }
}

// Encoders that write into a pipe leave the header's length at 0.
TEST(OggFileTest, FlacInOggWithoutALengthHasThatOfItsLastPage) {
  const std::string ogg = MakeOggFlac(MakeNoise(44100, 2, 1), SF_FORMAT_PCM_16);
  // In the header's page: 28 bytes of its own, 9 of the mapping, 21 of FLAC; the upper half of the first is no length.
  const size_t length = 28 + 9 + 21;
  const std::string open =
      WithOggBytes(ogg, length, std::string(1, static_cast<char>(ogg[length] & 0xf0)) + std::string(4, '\0'));
  EXPECT_EQ(Decode(open), Decode(ogg));
  const std::vector<size_t> pages = OggPageOffsets(open);
  const size_t last = pages[pages.size() - 2];
  const std::string later = WithOggPosition(open, last, 2 * 44100);
  const auto result = DecodeAudio(EncodedAudio{later}, {}, kRateHz);
  ASSERT_TRUE(std::holds_alternative<AudioError>(result));
  EXPECT_THAT(std::string(std::get<AudioError>(result).status.message()), testing::HasSubstr("2.000 s claimed"));
}

TEST(OpusFileTest, TheInputRateOfTheHeaderSaysNothing) {
  const std::string opus = MakeOpus(MakeNoise(48000, 1, 1));
  const std::vector<float> expected = Decode(opus);
  EXPECT_EQ(expected.size(), size_t{kRateHz});
  for (const uint32_t rate_hz : {0U, 8000U, 16000U, 44100U, 192000U, 0xffffffffU}) {
    EXPECT_EQ(Decode(WithOggBytes(opus, kOpusHead + 12, Little32(rate_hz))), expected) << rate_hz;
  }
}

TEST(OpusFileTest, TheHeadersGainIsApplied) {
  const std::string opus = MakeOpus(MakeSine(440, 48000, 1, 1));
  const std::vector<float> plain = Decode(opus);
  const int gain = -6 * 256;
  const std::vector<float> quieter = Decode(WithOggBytes(opus, kOpusHead + 16, Little16(gain)));
  ASSERT_EQ(quieter.size(), plain.size());
  const double factor = std::pow(10, -6.0 / 20);
  for (size_t i = 0; i < plain.size(); ++i) ASSERT_NEAR(quieter[i], plain[i] * factor, 1e-4) << i;
}

TEST(OpusFileTest, PreSkipAndEndAreLeftOut) {
  const std::string opus = MakeOpus(MakeNoise(48000, 1, 1));
  const std::vector<float> plain = Decode(opus, 48000);
  ASSERT_EQ(plain.size(), size_t{48000});
  const int pre_skip = static_cast<uint8_t>(opus[kOpusHead + 10]) | static_cast<uint8_t>(opus[kOpusHead + 11]) << 8;
  const std::vector<float> later = Decode(WithOggBytes(opus, kOpusHead + 10, Little16(pre_skip + 1000)), 48000);
  EXPECT_EQ(later, std::vector<float>(plain.begin() + 1000, plain.end()));
  const std::vector<size_t> pages = OggPageOffsets(opus);
  const std::vector<float> shorter =
      Decode(WithOggPosition(opus, pages[pages.size() - 2], LastPosition(opus) - 100), 48000);
  EXPECT_EQ(shorter, std::vector<float>(plain.begin(), plain.end() - 100));
}

TEST(OpusFileTest, ARecordingThatBeginsInTheMiddleIsTaken) {
  std::string opus = MakeOpus(MakeNoise(48000, 1, 3));
  const std::vector<float> plain = Decode(opus);
  const std::vector<size_t> pages = OggPageOffsets(opus);
  for (size_t page = 2; page + 1 < pages.size(); ++page) {
    int64_t position = 0;
    std::copy_n(opus.data() + pages[page] + 6, 8, reinterpret_cast<char*>(&position));
    opus = WithOggPosition(opus, pages[page], position + 123456789);
  }
  EXPECT_EQ(Decode(opus), plain);
}

TEST(OpusFileTest, SurroundSoundIsTheMeanOfItsChannels) {
  const std::vector<float> clip = Decode(MakeOpus(MakeSine(200, 48000, 6, 1)));
  ASSERT_EQ(clip.size(), size_t{kRateHz});
  EXPECT_GT(*std::max_element(clip.begin(), clip.end()), 0.1F);
}

}  // namespace
}  // namespace hearwire
