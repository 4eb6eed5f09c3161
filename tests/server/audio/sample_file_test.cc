// What DecodeAudio makes of files that hold their samples one by one: WAV and its like, AIFF, AU and CAF, with the
// lengths and the forms that real ones have.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <cstdint>
#include <ostream>
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

class WavStreamTest : public testing::Test {
 protected:
  const std::string samples_ = Linear16Bytes(MakeNoise(kRateHz, 2, 0.5).values);
  const std::string fmt_ = RiffChunk("fmt ", WavFmt(1, 2, kRateHz, 4, 16));
  const std::vector<float> expected_ = Decode(WavFromChunks(fmt_ + RiffChunk("data", samples_)));

  std::string Wav(uint32_t riff_length, uint32_t data_length, const std::string& before_data = "") const {
    return RiffChunk("RIFF", riff_length, "WAVE" + fmt_ + before_data + RiffChunk("data", data_length, samples_));
  }
};

TEST_F(WavStreamTest, UnknownLengthsAreReadToTheEnd) {
  ASSERT_EQ(expected_.size(), size_t{kRateHz / 2});
  EXPECT_EQ(Decode(Wav(0, 0)), expected_);
  EXPECT_EQ(Decode(Wav(36, 0)), expected_);  // An empty file's header, never corrected.
  EXPECT_EQ(Decode(Wav(static_cast<uint32_t>(samples_.size()) + 36, 0)),
            expected_);  // The RIFF length corrected alone.
  EXPECT_EQ(Decode(Wav(0xffffffff, 0)), expected_);
  EXPECT_EQ(Decode(Wav(0xffffffff, 0xffffffff)), expected_);
  EXPECT_EQ(Decode(Wav(static_cast<uint32_t>(samples_.size()) + 36, 0xffffffff)), expected_);
  EXPECT_EQ(Decode(Wav(0xffffffff, 0xffffffff, RiffChunk("LIST", "INFOISFT\x0e\0\0\0Lavf58.29.100\0"))), expected_);
  EXPECT_EQ(Decode(Wav(0x7ffff024, 0x7ffff000)), expected_);  // What sox writes into a pipe.
}

// Where the RIFF length is right, only the bytes themselves tell a stream from an empty file with further chunks.
TEST_F(WavStreamTest, AFileOfLength0ThatGoesOnWithChunksIsEmpty) {
  const auto status = [&](const std::string& after) {
    const auto decoded = DecodeAudio(EncodedAudio{WavFromChunks(fmt_ + RiffChunk("data", "") + after)}, {}, kRateHz);
    const auto* error = std::get_if<AudioError>(&decoded);
    return error == nullptr ? absl::OkStatus() : error->status;
  };
  const std::string list = RiffChunk("LIST", "INFOINAM");
  const std::string empty = "the file has no samples";
  EXPECT_EQ(status(list).message(), empty);
  EXPECT_EQ(status(list + RiffChunk("id3 ", std::string(35, 'x'))).message(), empty);
  EXPECT_TRUE(status(list + samples_).ok()) << "no chunk after the first";
  EXPECT_TRUE(status(RiffChunk("LIST", 1000, "INFO")).ok()) << "a length beyond the file";
}

TEST_F(WavStreamTest, WhatSoxWritesIsWholeSamples) {
  const std::string fmt = RiffChunk("fmt ", WavFmt(1, 6, kRateHz, 18, 24));
  const std::string data(18 * 100, '\x22');
  const std::string wav = RiffChunk("RIFF", 0x7ffff01a, "WAVE" + fmt + RiffChunk("data", 0x7ffffff6 - 0x1000, data));
  EXPECT_EQ(Decode(wav).size(), size_t{100});
}

TEST_F(WavStreamTest, APartOfASampleAtTheEndIsIgnored) {
  EXPECT_EQ(Decode(Wav(0, 0) + "abc"), expected_);
  EXPECT_EQ(Decode(WavFromChunks(fmt_ + RiffChunk("data", samples_ + "abc"))), expected_);
}

TEST_F(WavStreamTest, OtherChunksAreSkipped) {
  const std::string data = RiffChunk("data", samples_);
  const std::string odd = RiffChunk("LIST", std::string(35, 'x'));
  const std::string hostile = RiffChunk("cue ", std::string(100, '\xff')) +
                              RiffChunk("bext", std::string(5000, '\xff')) + RiffChunk("fact", "") +
                              RiffChunk("PEAK", std::string(7, '\xff'));
  EXPECT_EQ(Decode(WavFromChunks(odd + fmt_ + hostile + data + odd)), expected_);
  // The RIFF length, and what follows the samples, do not matter.
  EXPECT_EQ(Decode(RiffChunk("RIFF", 0x80000000, "WAVE" + fmt_ + data)), expected_);
  EXPECT_EQ(Decode(WavFromChunks(fmt_ + data) + "trailing"), expected_);
  EXPECT_EQ(Decode(WavFromChunks(fmt_ + data + RiffChunk("LIST", 0xffff0000, "cut"))), expected_);
}

TEST_F(WavStreamTest, TheFirstFmtChunkCounts) {
  const std::string other = RiffChunk("fmt ", WavFmt(1, 1, 8000, 2, 16));
  EXPECT_EQ(Decode(WavFromChunks(fmt_ + other + RiffChunk("data", samples_))), expected_);
}

// Such headers are found, and every player takes them.
TEST(WavFormTest, LengthsThatNobodyNeedsMayBeMissing) {
  const std::string samples = Linear16Bytes(MakeNoise(kRateHz, 2, 0.5).values);
  const std::string data = RiffChunk("data", samples);
  const std::vector<float> expected = Decode(WavFromChunks(RiffChunk("fmt ", WavFmt(1, 2, kRateHz, 4, 16)) + data));
  const std::string bare = Little16(1) + Little16(2) + Little32(kRateHz) + Little32(0) + Little16(0) + Little16(16);
  EXPECT_EQ(Decode(WavFromChunks(RiffChunk("fmt ", bare) + data)), expected);
}

TEST(WavFormTest, ValuesStandInTheUpperPartOfTheirBytes) {
  const std::string samples = Linear16Bytes(MakeNoise(kRateHz, 1, 0.5).values);
  const auto wav = [&samples](uint16_t bytes, uint16_t bits) {
    return WavFromChunks(RiffChunk("fmt ", WavFmt(1, 1, kRateHz, bytes, bits)) + RiffChunk("data", samples));
  };
  EXPECT_EQ(Decode(wav(2, 12)), Decode(wav(2, 16)));
  EXPECT_EQ(Decode(wav(3, 20)), Decode(wav(3, 24)));
}

// libsndfile would make another block of the byte that pads an odd number of them, and so counts sox.
TEST(WavFormTest, BlocksOfGsmAreWhole) {
  const std::string fmt = RiffChunk("fmt ", WavFmt(0x31, 1, 8000, 65, 0) + Little16(2) + Little16(320));
  const std::string blocks = std::string(9 * 65, '\x5d');
  for (const std::string& data : {blocks, blocks + std::string(1, '\0')}) {
    EXPECT_EQ(Decode(WavFromChunks(fmt + RiffChunk("data", data))).size(), size_t{9 * 320 * 4});
  }
}

TEST(WavFormTest, Mp3InAWavFileIsMp3) {
  const std::string mp3 = MakeMp3(MakeNoise(44100, 1, 1));
  const std::string fmt = RiffChunk("fmt ", WavFmt(0x55, 1, 44100, 1, 0) + std::string(14, '\0'));
  EXPECT_EQ(Decode(WavFromChunks(fmt + RiffChunk("data", mp3))), Decode(mp3));
}

struct Form {
  std::string name;
  int format;
  int like = SF_FORMAT_PCM_16;  // The subtype of a WAV file with the same samples.
};
std::ostream& operator<<(std::ostream& out, const Form& form) { return out << form.name; }

std::vector<Form> Forms() {
  const std::vector<Form> widths = {
      {"8", SF_FORMAT_PCM_S8, SF_FORMAT_PCM_U8},   {"16", SF_FORMAT_PCM_16, SF_FORMAT_PCM_16},
      {"24", SF_FORMAT_PCM_24, SF_FORMAT_PCM_24},  {"32", SF_FORMAT_PCM_32, SF_FORMAT_PCM_32},
      {"Float", SF_FORMAT_FLOAT, SF_FORMAT_FLOAT}, {"Double", SF_FORMAT_DOUBLE, SF_FORMAT_DOUBLE},
      {"ALaw", SF_FORMAT_ALAW, SF_FORMAT_ALAW},    {"MuLaw", SF_FORMAT_ULAW, SF_FORMAT_ULAW}};
  const std::vector<Form> containers = {{"Aiff", SF_FORMAT_AIFF},
                                        {"Au", SF_FORMAT_AU},
                                        {"Caf", SF_FORMAT_CAF},
                                        {"LittleEndianAu", SF_FORMAT_AU | SF_ENDIAN_LITTLE},
                                        {"LittleEndianCaf", SF_FORMAT_CAF | SF_ENDIAN_LITTLE},
                                        {"W64", SF_FORMAT_W64},
                                        {"Rf64", SF_FORMAT_RF64},
                                        {"Rifx", SF_FORMAT_WAV | SF_ENDIAN_BIG}};
  std::vector<Form> forms;
  for (const Form& container : containers) {
    for (const Form& width : widths) {
      const int type = container.format & SF_FORMAT_TYPEMASK;
      const bool is_wav = type == SF_FORMAT_W64 || type == SF_FORMAT_RF64 || type == SF_FORMAT_WAV;
      const int subtype = is_wav && width.name == "8" ? SF_FORMAT_PCM_U8 : width.format;
      forms.push_back({container.name + width.name, container.format | subtype, width.like});
    }
  }
  forms.push_back({"AiffUnsigned8", SF_FORMAT_AIFF | SF_FORMAT_PCM_U8, SF_FORMAT_PCM_U8});
  forms.push_back({"AiffSowt16", SF_FORMAT_AIFF | SF_ENDIAN_LITTLE | SF_FORMAT_PCM_16});
  forms.push_back({"AiffSowt24", SF_FORMAT_AIFF | SF_ENDIAN_LITTLE | SF_FORMAT_PCM_24, SF_FORMAT_PCM_24});
  return forms;
}

class SampleFileTest : public testing::TestWithParam<Form> {};

TEST_P(SampleFileTest, HoldsTheSamplesOfAWavFile) {
  const Sound sound = MakeNoise(44100, 2, 0.5);
  const std::string file = MakeFile(sound, GetParam().format);
  const std::vector<float> expected = Decode(MakeFile(sound, SF_FORMAT_WAV | GetParam().like));
  ASSERT_EQ(expected.size(), size_t{kRateHz / 2});
  EXPECT_EQ(Decode(file), expected);
  EXPECT_EQ(CountDecodedSamples(EncodedAudio{file}, {}, kRateHz), kRateHz / 2);
}

TEST_P(SampleFileTest, IsRefusedWhereSamplesAreMissing) {
  const std::string file = MakeFile(MakeNoise(44100, 2, 0.5), GetParam().format);
  // Chunks behind the samples may be missing: floats have one. Half of the samples are missed by every kind.
  for (const size_t size : {file.size() / 2, file.size() * 3 / 4}) {
    const auto result = DecodeAudio(EncodedAudio{std::string_view(file).substr(0, size)}, {}, kRateHz);
    ASSERT_TRUE(std::holds_alternative<AudioError>(result));
    EXPECT_THAT(std::string(std::get<AudioError>(result).status.message()), testing::HasSubstr("0.500 s claimed"));
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, SampleFileTest, testing::ValuesIn(Forms()),
                         [](const testing::TestParamInfo<Form>& info) { return info.param.name; });

// Both are held in 32 bits: their product is beyond 64.
TEST(SampleFileTest, AnyRateAndChannelCountIsHeld) {
  std::string au = "dns.";
  for (const uint32_t field : {24U, 0xfffffffeU, 4U, 0xfffffff0U, 0xfffffff1U}) au += Little32(field);
  const std::string bytes = au + "some bytes";
  const auto result = DecodeAudio(EncodedAudio{bytes}, {}, kRateHz);
  ASSERT_TRUE(std::holds_alternative<AudioError>(result));
  EXPECT_THAT(std::string(std::get<AudioError>(result).status.message()), testing::HasSubstr("10 of 4294967294 bytes"));
}

// What writers leave that cannot go back to write a length.
TEST(SampleFileTest, UnknownLengthsAreReadToTheEnd) {
  const Sound sound = MakeNoise(44100, 2, 0.5);
  const std::vector<float> expected = Decode(MakeWav(sound));
  const auto with = [](std::string file, size_t offset, const std::string& bytes) {
    return file.replace(offset, bytes.size(), bytes);
  };
  const std::string zeros(8, '\0');
  const std::string ones(8, '\xff');
  const std::string au = MakeFile(sound, SF_FORMAT_AU | SF_FORMAT_PCM_16);
  EXPECT_EQ(Decode(with(au, 8, ones.substr(0, 4))), expected);
  EXPECT_EQ(Decode(with(au, 8, zeros.substr(0, 4))), expected);
  const std::string aiff = MakeFile(sound, SF_FORMAT_AIFF | SF_FORMAT_PCM_16);
  const size_t comm = aiff.find("COMM");
  const size_t ssnd = aiff.find("SSND");
  ASSERT_NE(comm, std::string::npos);
  EXPECT_EQ(Decode(with(with(aiff, comm + 10, zeros.substr(0, 4)), ssnd + 4, zeros.substr(0, 4))), expected);
  EXPECT_EQ(Decode(with(aiff, ssnd + 4, ones.substr(0, 4))), expected);
  const std::string caf = MakeFile(sound, SF_FORMAT_CAF | SF_FORMAT_PCM_16);
  EXPECT_EQ(Decode(with(caf, caf.find("data") + 4, ones)), expected);
  const std::string w64 = MakeFile(sound, SF_FORMAT_W64 | SF_FORMAT_PCM_16);
  EXPECT_EQ(Decode(with(w64, w64.find("data") + 16, ones)), expected);
  EXPECT_EQ(Decode(with(w64, w64.find("data") + 16, zeros)), expected);
}

TEST(SampleFormTest, CompressedOnesAreRefusedByName) {
  const std::string caf = MakeFile(MakeNoise(16000, 1, 0.1), SF_FORMAT_CAF | SF_FORMAT_ALAC_16);
  const auto refused = DecodeAudio(EncodedAudio{caf}, {}, 32000);
  ASSERT_TRUE(std::holds_alternative<AudioError>(refused));
  EXPECT_EQ(std::get<AudioError>(refused).status,
            absl::InvalidArgumentError("CAF encoding 'alac' (ALAC) is not accepted; integers, floats, A-law and mu-law "
                                       "are. The command hearwire and the Python package decode it where ffmpeg is "
                                       "installed; so does 'ffmpeg -i FILE sound.flac'"));
  std::string aiff = MakeFile(MakeNoise(16000, 1, 0.1), SF_FORMAT_AIFF | SF_FORMAT_ULAW);
  aiff.replace(aiff.find("COMM") + 26, 4, "ima4");
  const auto other = DecodeAudio(EncodedAudio{aiff}, {}, 32000);
  ASSERT_TRUE(std::holds_alternative<AudioError>(other));
  EXPECT_EQ(
      std::get<AudioError>(other).status,
      absl::InvalidArgumentError("AIFF-C encoding 'ima4' is not accepted; integers, floats, A-law and mu-law are. "
                                 "'ffmpeg -i FILE sound.flac' makes an accepted file of it"));
}

}  // namespace
}  // namespace hearwire
