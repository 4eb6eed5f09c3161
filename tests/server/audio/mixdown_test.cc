#include "server/audio/mixdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace hearwire {
namespace {

using testing::ElementsAre;

constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(MixDownTest, LeavesOneChannelAlone) {
  std::vector<float> values = {0.1F, -0.0F, 1e-42F, 7};
  const std::vector<float> before = values;
  EXPECT_EQ(MixDown(absl::MakeSpan(values), 1), absl::MakeConstSpan(before));
}

TEST(MixDownTest, TakesTheMeanOfTheChannels) {
  std::vector<float> stereo = {1, 3, -2, 2, 0.5F, 0};
  EXPECT_THAT(MixDown(absl::MakeSpan(stereo), 2), ElementsAre(2, 0, 0.25F));
  std::vector<float> three = {1, 2, 6, -1, -1, -1};
  EXPECT_THAT(MixDown(absl::MakeSpan(three), 3), ElementsAre(3, -1));
}

TEST(MixDownTest, MeanOfFiniteValuesIsFinite) {
  std::vector<float> stereo = {kMax, kMax, -kMax, -kMax, kMax, -kMax};
  EXPECT_THAT(MixDown(absl::MakeSpan(stereo), 2), ElementsAre(kMax, -kMax, 0));
  std::vector<float> many(32, kMax);
  EXPECT_THAT(MixDown(absl::MakeSpan(many), 32), ElementsAre(kMax));
}

TEST(MixDownTest, RoundsOnce) {
  // Summed in single precision, the small values would be lost beside the large one.
  std::vector<float> values = {1, 0x1p-25F, 0x1p-25F, 0x1p-25F, 0x1p-25F, 0, 0, 0};
  EXPECT_THAT(MixDown(absl::MakeSpan(values), 8), ElementsAre((1 + 0x1p-23F) / 8));
}

}  // namespace
}  // namespace hearwire
