#include "client/cli/wav_header.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/wav_bytes.h"

namespace hearwire::cli {
namespace {

using ::testing::HasSubstr;
using Encoding = SampleFormat::Encoding;

// Of a whole header; a failure otherwise.
WavHeader Parsed(const std::string& file) {
  const absl::StatusOr<std::optional<WavHeader>> header = ParseWavHeader(file);
  EXPECT_TRUE(header.ok()) << header.status();
  EXPECT_TRUE(header.ok() && header->has_value());
  return header.ok() && *header ? **header : WavHeader();
}

std::string Refusal(const std::string& file) { return std::string(ParseWavHeader(file).status().message()); }

TEST(WavHeaderTest, KnowsTheSamplesAndWhereTheyBegin) {
  const WavHeader header = Parsed(Wav(FormatChunk(1, 16, 44100, 2), "abcdefgh", 8));
  EXPECT_EQ(header.format.encoding, Encoding::kS16);
  EXPECT_EQ(header.format.sample_rate_hz, 44100);
  EXPECT_EQ(header.format.channels, 2);
  EXPECT_EQ(header.bytes, 44u);
  EXPECT_EQ(header.data_bytes, 8);
}

TEST(WavHeaderTest, KnowsAllEncodings) {
  EXPECT_EQ(Parsed(Wav(FormatChunk(1, 8), "", 1)).format.encoding, Encoding::kU8);
  EXPECT_EQ(Parsed(Wav(FormatChunk(1, 24), "", 3)).format.encoding, Encoding::kS24);
  EXPECT_EQ(Parsed(Wav(FormatChunk(1, 32), "", 4)).format.encoding, Encoding::kS32);
  EXPECT_EQ(Parsed(Wav(FormatChunk(3, 32), "", 4)).format.encoding, Encoding::kF32);
  EXPECT_EQ(Parsed(Wav(FormatChunk(3, 64), "", 8)).format.encoding, Encoding::kF64);
  EXPECT_EQ(Parsed(Wav(ExtensibleChunk(1, 24), "", 3)).format.encoding, Encoding::kS24);
  EXPECT_EQ(Parsed(Wav(ExtensibleChunk(3, 32), "", 4)).format.encoding, Encoding::kF32);
}

TEST(WavHeaderTest, WaitsForTheRestOfTheHeader) {
  const std::string file = Wav(Chunk("LIST", "INFOISFT") + FormatChunk(1, 16), "", 4);
  for (size_t size = 0; size < file.size(); ++size) {
    const absl::StatusOr<std::optional<WavHeader>> header = ParseWavHeader(file.substr(0, size));
    ASSERT_TRUE(header.ok()) << size << ": " << header.status();
    EXPECT_FALSE(header->has_value()) << size;
  }
  EXPECT_EQ(Parsed(file).bytes, file.size());
}

TEST(WavHeaderTest, TakesTheLengthsOfPipesForUnknown) {
  for (const uint32_t size : {0u, 0xffffffffu, 0x7ffff000u, 0x80000000u}) {
    EXPECT_EQ(Parsed(Wav(FormatChunk(1, 16), "", size)).data_bytes, std::nullopt) << size;
  }
}

TEST(WavHeaderTest, ReadsLengthsOver4GiB) {
  const auto rf64 = [](uint64_t data_bytes) {
    const std::string sizes = LittleEndian(data_bytes + 72) + LittleEndian(data_bytes) + LittleEndian(uint64_t{0}) +
                              LittleEndian(uint32_t{0});
    return "RF64\xff\xff\xff\xffWAVE" + Chunk("ds64", sizes) + FormatChunk(1, 16) + "data\xff\xff\xff\xff";
  };
  EXPECT_EQ(Parsed(rf64(uint64_t{1} << 33)).data_bytes, int64_t{1} << 33);
  EXPECT_EQ(Parsed(rf64(0)).data_bytes, std::nullopt);
  EXPECT_EQ(Parsed(rf64(~uint64_t{0})).data_bytes, std::nullopt);
}

TEST(WavHeaderTest, RefusesWhatItCannotRead) {
  EXPECT_THAT(Refusal("ID3 and more"), HasSubstr("is no WAV file"));
  EXPECT_THAT(Refusal("X"), HasSubstr("is no WAV file"));
  EXPECT_THAT(Refusal("RIFF1234AVI LIST"), HasSubstr("is no WAV file"));
  EXPECT_THAT(Refusal(Wav(FormatChunk(6, 8), "", 4)), HasSubstr("its WAV encoding (0x0006, 8 bits) is not"));
  EXPECT_THAT(Refusal(Wav(FormatChunk(1, 12), "", 4)), HasSubstr("(0x0001, 12 bits)"));
  EXPECT_THAT(Refusal(Wav(FormatChunk(1, 16, 100), "", 4)), HasSubstr("1 channels at 100 Hz"));
  EXPECT_THAT(Refusal(Wav(FormatChunk(1, 16, 8000, 0), "", 4)), HasSubstr("0 channels"));
  EXPECT_THAT(Refusal(Wav("", "", 4)), HasSubstr("no format before the samples"));
  EXPECT_THAT(Refusal(Wav(Chunk("fmt ", "short"), "", 4)), HasSubstr("cut off"));
  EXPECT_THAT(Refusal("RIFF1234WAVELIST\xff\xff\xff\xff"), HasSubstr("more than 16 MiB"));
}

}  // namespace
}  // namespace hearwire::cli
