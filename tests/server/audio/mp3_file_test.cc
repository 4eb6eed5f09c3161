// What DecodeAudio makes of MP3 files: their tags, what stands before the first frame, and frames that do not say how
// long they are.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
constexpr int kFrameBytes = 144 * 96 / 32;  // At 96 kbit/s and 32 kHz no frame is padded.
constexpr int kFrameSamples = 1152;

std::string Refusal(const std::string& bytes) {
  const auto result = DecodeAudio(EncodedAudio{bytes}, {}, kRateHz);
  const auto* error = std::get_if<AudioError>(&result);
  return error == nullptr ? "decoded" : std::string(error->status.message());
}

std::string Big32(uint32_t value) {
  const std::string little = Little32(value);
  return {little.rbegin(), little.rend()};
}

// Stereo frames of kFrameBytes, without an info tag.
std::string MakeFrames() {
  const std::string mp3 = WithoutMp3InfoTag(MakeMp3(MakeNoise(kRateHz, 2, 1)));
  EXPECT_EQ(mp3.size() % kFrameBytes, 0U);
  return mp3;
}

// A frame without sound that holds the tag at `offset`.
std::string TagFrame(const std::string& frames, size_t offset, const std::string& tag) {
  std::string frame = frames.substr(0, 4) + std::string(kFrameBytes - 4, '\0');
  return frame.replace(offset, tag.size(), tag);
}

std::string XingFrame(const std::string& frames, size_t count, size_t bytes) {
  return TagFrame(frames, 36, "Xing" + Big32(3) + Big32(count) + Big32(bytes));
}

std::string VbriFrame(const std::string& frames, size_t count, size_t bytes) {
  return TagFrame(frames, 36, std::string("VBRI\0\1\0\0\0\x32", 10) + Big32(bytes) + Big32(count));
}

TEST(Mp3FileTest, WithoutAnInfoTagIsReadToTheEnd) {
  // Quiet at first and loud later: the first frames' bit rate says nothing about the length.
  Sound sound = MakeNoise(44100, 2, 6);
  std::fill(sound.values.begin(), sound.values.begin() + sound.values.size() / 2, 0.0F);
  for (const std::string& mp3 : {MakeMp3(sound), MakeVariableMp3(sound)}) {
    const std::vector<float> tagged = Decode(mp3);
    EXPECT_EQ(tagged.size(), size_t{6 * kRateHz});
    // The encoder's delay and padding stay in.
    EXPECT_NEAR(Decode(WithoutMp3InfoTag(mp3)).size(), 6 * kRateHz + 1500, 1000);
  }
}

TEST(Mp3FileTest, WithoutAnInfoTagMayEndInTheMiddleOfAFrame) {
  const std::string mp3 = WithoutMp3InfoTag(MakeVariableMp3(MakeNoise(44100, 2, 4)));
  for (int cut = 0; cut < 5; ++cut) {
    EXPECT_NEAR(Decode(mp3.substr(0, mp3.size() / 2 - 100 * cut)).size(), 2 * kRateHz, kRateHz / 2);
  }
}

TEST(Mp3FileTest, TagsAreIgnored) {
  const std::string mp3 = MakeMp3(MakeSine(440, 44100, 1, 1));
  const std::vector<float> expected = Decode(mp3);
  const std::string id3 = std::string("ID3\x04\0\0\0\0\x02\x00", 10) + std::string(256, '\xff');
  const std::string id3_with_footer = std::string("ID3\x04\0\x10\0\0\0\x08", 10) + std::string(8 + 10, 'x');
  const std::string id3v1 = "TAG" + std::string(125, '\xff');
  const std::string ape = std::string(200000, '\x55') + "APETAGEX" + Little32(2000) + Little32(200032) + Little32(1) +
                          std::string(12, '\0');
  EXPECT_EQ(Decode(id3 + mp3), expected);
  EXPECT_EQ(Decode(id3 + id3_with_footer + mp3), expected);
  EXPECT_EQ(Decode(id3 + std::string(300, '\0') + mp3), expected);
  EXPECT_EQ(Decode(mp3 + id3v1), expected);
  EXPECT_EQ(Decode(mp3 + ape + id3v1), expected);
  const std::string untagged = WithoutMp3InfoTag(mp3);
  EXPECT_EQ(Decode(untagged + ape + id3v1), Decode(untagged));
}

TEST(Mp3FileTest, ATagMayHoldAPicture) {
  const std::string mp3 = MakeMp3(MakeSine(440, 44100, 1, 1));
  const std::string id3 = std::string("ID3\x04\0\0\x01\0\0\0", 10) + std::string(1 << 21, 'x');
  EXPECT_EQ(Decode(id3 + mp3), Decode(mp3));
  EXPECT_NEAR(Decode(mp3 + id3 + mp3).size(), 2 * kRateHz, kRateHz / 10);
}

TEST(Mp3FileTest, FilesInARowAreOneSound) {
  const std::string mp3 = MakeMp3(MakeSine(440, 44100, 1, 1));
  EXPECT_NEAR(Decode(mp3 + mp3).size(), 2 * kRateHz, kRateHz / 10);
}

TEST(Mp3FileTest, WhatFollowsTheClaimedLengthInAnotherFormatIsIgnored) {
  const std::string mp3 = MakeMp3(MakeSine(440, 44100, 2, 1));
  EXPECT_EQ(Decode(mp3 + MakeMp3(MakeSine(440, 16000, 1, 1))), Decode(mp3));
}

TEST(Mp3FileTest, WhatStandsBeforeTheFirstFrameIsPassedOver) {
  const std::string mp3 = MakeMp3(MakeSine(440, 44100, 1, 1));
  const std::vector<float> expected = Decode(mp3);
  const std::string ape_items(70000, '\x55');
  const std::string ape = "APETAGEX" + Little32(2000) + Little32(ape_items.size() + 32) + Little32(1) +
                          std::string(12, '\0') + ape_items + std::string(32, 'x');
  EXPECT_EQ(Decode(std::string(5000, '\0') + mp3), expected);
  EXPECT_EQ(Decode("a line of text\r\n" + mp3), expected);
  EXPECT_EQ(Decode(ape + mp3), expected);
  const std::string frames = WithoutMp3InfoTag(mp3);
  EXPECT_EQ(Decode(mp3.substr(1000, 150) + frames).size(), Decode(frames).size()) << "half a frame";
  const std::string one_frame = mp3.substr(0, 417);
  EXPECT_THAT(Refusal(std::string(100, '\0') + one_frame + std::string(2000, '\x11')),
              testing::HasSubstr("no audio file that is known here"))
      << "one frame may be chance";
}

// Frames of free format say no length: the next one tells it.
TEST(Mp3FileTest, FreeFormatIsTaken) {
  const std::string frames = MakeFrames();
  std::string free_format = frames;
  for (size_t frame = 0; frame < frames.size(); frame += kFrameBytes) free_format[frame + 2] &= 0x0f;
  EXPECT_EQ(Decode(free_format), Decode(frames));
}

// iTunes, mp3HD and mp3splt do that.
TEST(Mp3FileTest, AnInfoTagMayCountItsOwnFrame) {
  const std::string frames = MakeFrames();
  const size_t count = frames.size() / kFrameBytes;
  const size_t bytes = frames.size() + kFrameBytes;
  const std::vector<float> expected = Decode(XingFrame(frames, count, bytes) + frames);
  EXPECT_EQ(Decode(XingFrame(frames, count + 1, bytes) + frames), expected);
  const std::string cut = frames.substr(0, frames.size() - kFrameBytes);
  EXPECT_THAT(Refusal(XingFrame(frames, count, bytes) + cut), testing::HasSubstr("claimed")) << "bytes are missing";
  EXPECT_THAT(Refusal(XingFrame(frames, count + 2, bytes) + frames), testing::HasSubstr("claimed"));
}

TEST(Mp3FileTest, AVbriTagIsNoAudio) {
  const std::string frames = MakeFrames();
  const size_t count = frames.size() / kFrameBytes;
  const size_t bytes = frames.size() + kFrameBytes;
  const std::vector<float> expected = Decode(frames);
  ASSERT_EQ(expected.size(), count * kFrameSamples);
  EXPECT_EQ(Decode(VbriFrame(frames, count, bytes) + frames), expected);
  EXPECT_EQ(Decode(VbriFrame(frames, count + 1, bytes) + frames), expected);
  EXPECT_THAT(Refusal(VbriFrame(frames, count, bytes) + frames.substr(0, frames.size() / 2)),
              testing::HasSubstr("claimed"));
}

TEST(Mp3FileTest, WhatAnId3TagStandsBeforeIsNamed) {
  const std::string id3 = std::string("ID3\x04\0\0\0\0\x02\x00", 10) + std::string(256, '\xff');
  EXPECT_THAT(Refusal(id3 + "MAC " + std::string(3000, '\x55')), testing::HasSubstr("Monkey's Audio (APE)"));
  EXPECT_THAT(Refusal(id3 + "TTA1" + std::string(3000, '\x55')), testing::HasSubstr("True Audio (TTA)"));
  EXPECT_THAT(Refusal(id3 + std::string(3000, '\x55')), testing::HasSubstr("an ID3 tag with no audio behind it"));
}

}  // namespace
}  // namespace hearwire
