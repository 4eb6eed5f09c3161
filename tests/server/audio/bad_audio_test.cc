// Everything in the catalogue of bad audio is refused, with the right code, field and words.

#include "tests/fixtures/bad_audio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"

namespace hearwire {
namespace {

// Short, so that the clips that are too long are quick to make.
AudioLimits ShortLimits() { return {.max_decoded = absl::Seconds(30)}; }

class BadAudioTest : public testing::TestWithParam<BadAudio> {};

TEST_P(BadAudioTest, IsRefused) {
  const BadAudio& bad = GetParam();
  const auto result = DecodeAudio(bad.source(), ShortLimits(), 32000);
  const auto* error = std::get_if<AudioError>(&result);
  ASSERT_NE(error, nullptr) << "decoded to " << std::get<0>(result).size() << " samples";
  EXPECT_EQ(error->status.code(), bad.code) << error->status;
  EXPECT_EQ(error->field, bad.field);
  for (const std::string& words : bad.words) {
    EXPECT_THAT(std::string(error->status.message()), testing::HasSubstr(words));
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, BadAudioTest, testing::ValuesIn(BadAudioCatalogue(ShortLimits())),
                         [](const testing::TestParamInfo<BadAudio>& info) { return info.param.name; });

}  // namespace
}  // namespace hearwire
