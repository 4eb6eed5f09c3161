#include "client/cli/sample_format.h"

#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/wav_bytes.h"

namespace hearwire::cli {
namespace {

using ::testing::ElementsAre;
using Encoding = SampleFormat::Encoding;

std::vector<float> Floats(std::string_view bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

TEST(SampleConverterTest, TurnsFullScaleIntoOne) {
  EXPECT_THAT(Floats(SampleConverter(Encoding::kU8).Convert(std::string_view("\x00\x80\xff", 3))),
              ElementsAre(-1, 0, 127.0f / 128));
  EXPECT_THAT(
      Floats(SampleConverter(Encoding::kS24).Convert(std::string_view("\x00\x00\x80\x01\x00\x00\xff\xff\xff", 9))),
      ElementsAre(-1, 0x1p-23f, -0x1p-23f));
  const std::string s32 = LittleEndian(INT32_MIN) + LittleEndian(1 << 30);
  EXPECT_THAT(Floats(SampleConverter(Encoding::kS32).Convert(s32)), ElementsAre(-1, 0.5f));
  EXPECT_THAT(Floats(SampleConverter(Encoding::kF64).Convert(LittleEndian(1.5))), ElementsAre(1.5f));
}

TEST(SampleConverterTest, LeavesWhatTravelsAsItIs) {
  EXPECT_EQ(SampleConverter(Encoding::kS16).Convert("abc"), "abc");
  EXPECT_EQ(SampleConverter(Encoding::kF32).Convert("abc"), "abc");
  EXPECT_EQ(WireEncoding(Encoding::kS16), client::Audio::Encoding::kLinear16);
  EXPECT_EQ(WireEncoding(Encoding::kS24), client::Audio::Encoding::kFloat32);
}

TEST(SampleConverterTest, JoinsWhatWasCutWithinASample) {
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += LittleEndian(i << 20).substr(1);
  SampleConverter whole(Encoding::kS24);
  const std::vector<float> expected = Floats(whole.Convert(bytes));
  ASSERT_EQ(expected.size(), 100u);
  for (const size_t step : {1, 2, 4, 5, 7}) {
    SampleConverter converter(Encoding::kS24);
    std::string converted;
    for (size_t i = 0; i < bytes.size(); i += step) converted += converter.Convert(bytes.substr(i, step));
    EXPECT_EQ(Floats(converted), expected) << step;
  }
}

TEST(SampleFormatTest, NamesItsEncodings) {
  for (const std::string& name : EncodingNames()) EXPECT_TRUE(EncodingByName(name).has_value());
  EXPECT_EQ(EncodingByName("alaw"), std::nullopt);
  EXPECT_EQ(SampleBytes(*EncodingByName("s24")), 3);
}

}  // namespace
}  // namespace hearwire::cli
