#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "models/configs/config.h"
#include "models/configs/network_shape.h"
#include "tests/fixtures/shared_data.h"

namespace hearwire {
namespace {

std::string FeatureName(Feature feature) {
  const int index = static_cast<int>(feature);
  if (index < static_cast<int>(Feature::kSe0)) {
    return std::vector<std::string>{"mel_avgs", "clf1", "clf2", "logits"}[index];
  }
  if (feature < Feature::kBlock0) return "se" + std::to_string(index - static_cast<int>(Feature::kSe0));
  return "b" + std::to_string(index - static_cast<int>(Feature::kBlock0));
}

// In the order of concatenation.
std::string FeatureNames(FeatureSet features) {
  std::string names;
  for (int i = 0; i < static_cast<int>(Feature::kEnd); ++i) {
    if (!features.Has(static_cast<Feature>(i))) continue;
    if (!names.empty()) names += ' ';
    names += FeatureName(static_cast<Feature>(i));
  }
  return names;
}

std::string PoolingName(Pooling pooling) {
  switch (pooling) {
    case Pooling::kAvgCh:
      return "avg_ch";
    case Pooling::kMaxCh:
      return "max_ch";
    case Pooling::kAddAvgMaxCh:
      return "add_avg_max_ch";
    case Pooling::kCatAvgMaxCh:
      return "cat_avg_max_ch";
    case Pooling::kAvgTime:
      return "avg_time";
    case Pooling::kAvgMaxTime:
      return "avg_max_time";
  }
  return "";
}

// The columns of one line of configs.csv, written from the table.
std::vector<std::string> CsvColumns(const Config& config) {
  const NetworkInfo& network = *config.network;
  return {std::string(config.name),
          std::string(network.name),
          std::string(network.published_file),
          network.head == HeadKind::kMlp ? "mlp" : "fully_convolutional",
          FeatureNames(config.readout.features),
          PoolingName(config.readout.pooling),
          std::to_string(network.mel.n_mels),
          std::to_string(network.mel.hop_samples),
          std::to_string(config.timestamp_window_samples / 32),
          std::to_string(kTimestampHopSamples / 32),
          std::to_string(config.embedding_size())};
}

TEST(ConfigTableTest, HoldsTheReferencesConfigsThenTheDefault) {
  EXPECT_EQ(Configs().size(), 77u);
  EXPECT_EQ(Configs().front().name, "mn01_all_b_avg_max_time_pool");
  EXPECT_EQ(Configs()[75].name, "mn40_clf2");
  EXPECT_EQ(Configs().back().name, kEmbeddedConfigName);
  EXPECT_EQ(Networks().size(), 17u);
  EXPECT_EQ(Networks().back().name, kEmbeddedNetworkName);
}

TEST(ConfigTableTest, HasNoNameTwiceAndNoUnusedNetwork) {
  std::set<std::string_view> names;
  std::set<const NetworkInfo*> used;
  for (const Config& config : Configs()) {
    EXPECT_TRUE(names.insert(config.name).second) << config.name;
    used.insert(config.network);
  }
  for (const NetworkInfo& network : Networks()) {
    EXPECT_TRUE(names.insert(network.name).second) << network.name;
    EXPECT_EQ(used.count(&network), 1u) << network.name;
  }
}

TEST(ConfigTableTest, FindsByExactName) {
  for (const Config& config : Configs()) EXPECT_EQ(FindConfig(config.name), &config);
  for (const NetworkInfo& network : Networks()) EXPECT_EQ(FindNetwork(network.name), &network);
  for (const std::string_view unknown : {"", "mn10", "mn10_all_b_mel_avg", "MN10_AS", "mn10_as "}) {
    EXPECT_EQ(FindConfig(unknown), nullptr) << unknown;
    EXPECT_EQ(FindNetwork(unknown), nullptr) << unknown;
  }
}

TEST(ConfigTableTest, DescribesTheDefault) {
  EXPECT_THAT(CsvColumns(*FindConfig("hearwire_mn01_all_b_mel_avgs")),
              testing::ElementsAre("hearwire_mn01_all_b_mel_avgs", "hearwire_mn01", "", "mlp",
                                   "mel_avgs b5 b11 b13 b15", "avg_ch", "128", "320", "160", "50", "184"));
  EXPECT_EQ(FindNetwork("hearwire_mn01")->width, 0.1);
}

TEST(ConfigTableTest, DescribesVariantsOfHeadMelsAndPooling) {
  EXPECT_THAT(
      CsvColumns(*FindConfig("mn10_all_b_mel_avgs_fc")),
      testing::ElementsAre("mn10_all_b_mel_avgs_fc", "mn10_as_fc", "mn10_as_fc_mAP_465.pt", "fully_convolutional",
                           "mel_avgs b5 b11 b13 b15", "avg_ch", "128", "320", "160", "50", "600"));
  EXPECT_EQ(FindConfig("mn10_all_b_mel_avgs_mels40")->network->mel, (MelSettings{40, 320}));
  EXPECT_EQ(FindConfig("mn10_all_b_mel_avgs_hop25")->network->mel, (MelSettings{128, 800}));
  EXPECT_EQ(FindConfig("mn10_all_b_mel_avgs_cat_avg_max_ch_pool")->embedding_size(), 1072);
  EXPECT_EQ(FindConfig("mn30_all_b_avg_time_pool")->embedding_size(), 8448);
  EXPECT_EQ(FeatureNames(FindConfig("mn10_all_b_all_se")->readout.features), "se5 se11 se13 se15 b5 b11 b13 b15");
}

TEST(ConfigTableTest, ServesTheReferencesSlipsAsTheReferenceComputesThem) {
  EXPECT_EQ(FindConfig("mn40_clf2")->embedding_size(), 5120);
  EXPECT_EQ(FindConfig("mn10_all_b_mel_avgs_ts320")->timestamp_window_samples, 1280 * 32);
}

TEST(ConfigTableTest, KnowsTheHashOfTheDefaultAndOfMn04) {
  EXPECT_EQ(FindNetwork("hearwire_mn01")->sha256, "1e8aa5b334f90e26ef4350a7ccb3c70e005ad87c17d049c5c239f60e174dc28a");
  EXPECT_EQ(FindNetwork("mn04_as")->sha256, "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c");
  EXPECT_EQ(FindNetwork("mn10_as")->sha256, "");
}

TEST(ConfigTest, NeedsOneSampleMoreThanTheReflection) {
  EXPECT_EQ(FindConfig("mn10_b1")->min_scene_samples(), 514);
  EXPECT_EQ(FindConfig("mn10_b1")->min_timestamp_samples(), 2561);
  EXPECT_EQ(FindConfig("mn10_all_b_mel_avgs_ts640")->min_timestamp_samples(), 10241);
  EXPECT_EQ(FindConfig("mn10_all_b_mel_avgs_ts1280")->min_timestamp_samples(), 20481);
}

TEST(ConfigTableTest, EqualsThePublishedListButForOneDeclaredSize) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  std::ifstream csv(SharedDataDir() + "/golden/configs.csv");
  std::string line;
  std::getline(csv, line);
  size_t row = 0;
  for (; std::getline(csv, line); ++row) {
    std::vector<std::string> published;
    if (line.ends_with('\r')) line.pop_back();
    std::istringstream columns(line);
    for (std::string column; std::getline(columns, column, ',');) published.push_back(column);
    ASSERT_EQ(published.size(), 11u) << line;
    if (published[0] == "mn40_clf2") published[10] = "5120";
    ASSERT_LT(row, Configs().size());
    EXPECT_EQ(CsvColumns(Configs()[row]), published);
  }
  EXPECT_EQ(row, 76u);
}

TEST(ConfigTableTest, HasTheSizesThatTheReferenceReturns) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  const auto index = nlohmann::json::parse(std::ifstream(SharedDataDir() + "/golden/index.json"));
  int sizes = 0;
  for (const auto& [name, entry] : index["configs"].items()) {
    const Config* config = FindConfig(name);
    ASSERT_NE(config, nullptr) << name;
    EXPECT_EQ(config->timestamp_window_samples, entry["timestamp_window_samples"]) << name;
    EXPECT_EQ(config->network->mel.n_mels, entry["n_mels"]) << name;
    EXPECT_EQ(config->network->mel.hop_samples, entry["mel_hop_samples"]) << name;
    for (const auto& [clip, golden] : entry["cases"].items()) {
      if (!golden.contains("scene_dim")) continue;
      EXPECT_EQ(config->embedding_size(), golden["scene_dim"]) << name << " " << clip;
      ++sizes;
    }
  }
  EXPECT_GE(sizes, 69);
}

}  // namespace
}  // namespace hearwire
