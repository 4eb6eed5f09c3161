#include "server/engines/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearwire {
namespace {

using ::testing::ElementsAre;

constexpr EngineRate kSlow{1000, 100};
constexpr EngineRate kFast{9000, 300};

TEST(PlaceNetworksTest, TakesTheFasterEngineForEachNetwork) {
  EXPECT_THAT(PlaceNetworks({{kFast, kSlow}, {kSlow, kFast}, {kFast, kSlow}}), ElementsAre(0, 1, 0));
}

TEST(PlaceNetworksTest, WeighsWindowsAndScenesAlike) {
  // Twice as fast at one, three times slower at the other.
  EXPECT_THAT(PlaceNetworks({{EngineRate{2000, 100}, EngineRate{1000, 300}}}), ElementsAre(1));
  EXPECT_THAT(PlaceNetworks({{EngineRate{1000, 300}, EngineRate{2000, 100}}}), ElementsAre(0));
  EXPECT_THAT(PlaceNetworks({{EngineRate{1000, 200}, EngineRate{3000, 100}}}), ElementsAre(1));
}

TEST(PlaceNetworksTest, PrefersTheEarlierOfEquals) {
  EXPECT_THAT(PlaceNetworks({{kFast, kFast}, {kSlow, kSlow, kSlow}}), ElementsAre(0, 0));
}

TEST(PlaceNetworksTest, LeavesOutEnginesThatCannotRunANetwork) {
  EXPECT_THAT(PlaceNetworks({{std::nullopt, kSlow}, {kSlow, std::nullopt}, {std::nullopt, std::nullopt}}),
              ElementsAre(1, 0, 1));
}

TEST(PlaceNetworksTest, PlacesAllOnAnOnlyEngine) {
  EXPECT_THAT(PlaceNetworks({{kSlow}, {std::nullopt}}), ElementsAre(0, 0));
  EXPECT_THAT(PlaceNetworks({}), ElementsAre());
}

}  // namespace
}  // namespace hearwire
