#include "models/configs/config_catalog.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

TEST(ConfigCatalogTest, KeepsAnEntryThatSomebodyHolds) {
  std::shared_ptr<const Config> config;
  {
    ConfigCatalog catalog;
    auto network = MakeNetworkInfo({.name = "birds", .width = 0.1, .labels = {"a", "b"}});
    catalog.AddNetwork(network);
    catalog.AddConfig(
        MakeConfig({.name = "all", .readout = LogitsReadout(), .timestamp_window_samples = 5120}, network));
    config = catalog.FindConfig("all");
    EXPECT_EQ(catalog.ConfigOf(network), config);
    EXPECT_EQ(catalog.configs().size(), Configs().size() + 1);
  }
  EXPECT_EQ(config->name, "all");
  EXPECT_EQ(config->network->name, "birds");
  EXPECT_EQ(config->network->class_names()[1], "b");
  EXPECT_EQ(config->embedding_size(), 2);
}

TEST(ConfigCatalogTest, HasAConfigForEveryNetwork) {
  const ConfigCatalog catalog;
  EXPECT_EQ(catalog.ConfigOf(catalog.FindNetwork("mn10_as")), catalog.FindConfig("mn10_all_b"));
  const auto alone = MakeNetworkInfo({.name = "alone", .width = 0.1, .labels = {"a"}});
  EXPECT_EQ(catalog.ConfigOf(alone)->embedding_size(), 1);
}

}  // namespace
}  // namespace hearwire
