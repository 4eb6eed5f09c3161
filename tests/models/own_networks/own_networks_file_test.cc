#include "models/own_networks/own_networks_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kFile[] = R"({
  "networks": [
    {
      "name": "birds",
      "checkpoint": "birds.pt",
      "classes": 10,
      "labels": "birds.txt",
      "mel_bands": 64,
      "mel_hop_ms": 15
    },
    {"name": "plain", "checkpoint": "plain.pt"}
  ],
  "configs": [
    {
      "name": "birds_all",
      "network": "birds",
      "features": ["se5", "logits", "mel_avgs"],
      "pooling": "add_avg_max_ch",
      "timestamp_window_ms": 320,
      "timestamp_hop_ms": 50
    },
    {"name": "mn10_b7_b8", "network": "mn10_as", "features": ["b7", "b8"]}
  ]
})";

// What the file is refused with when `from`, which it has once, is `to`.
std::string Refusal(const std::string& from, const std::string& to) {
  const std::string text = kFile;
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  const auto file = ParseOwnNetworks(std::string(text).replace(at, from.size(), to), "dir/configs.json");
  return file.ok() ? "taken" : std::string(file.status().message());
}

TEST(OwnNetworksFileTest, AddsNetworksAndConfigs) {
  const auto file = ParseOwnNetworks(kFile, "configs.json");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->networks.size(), 2u);
  const OwnNetworkEntry& birds = file->networks[0];
  EXPECT_EQ(birds.name, "birds");
  EXPECT_EQ(birds.checkpoint, "birds.pt");
  EXPECT_EQ(birds.classes, 10);
  EXPECT_EQ(birds.labels, "birds.txt");
  EXPECT_EQ(birds.mel, (MelSettings{64, 480}));
  EXPECT_EQ(file->networks[1].classes, std::nullopt);
  EXPECT_EQ(file->networks[1].labels, "");
  EXPECT_EQ(file->networks[1].mel, MelSettings());
  ASSERT_EQ(file->configs.size(), 2u);
  const OwnConfigEntry& all = file->configs[0];
  EXPECT_EQ(all.network, "birds");
  EXPECT_TRUE(all.readout.features.Has(Se(5)) && all.readout.features.Has(Feature::kLogits));
  EXPECT_TRUE(all.readout.features.Has(Feature::kMelAvgs) && !all.readout.features.Has(Block(5)));
  EXPECT_EQ(all.readout.pooling, Pooling::kAddAvgMaxCh);
  EXPECT_EQ(all.timestamp_window_samples, 320 * 32);
  EXPECT_EQ(file->configs[1].readout.pooling, Pooling::kAvgCh);
  EXPECT_EQ(file->configs[1].timestamp_window_samples, 160 * 32);
  EXPECT_NE(file->FindNetwork("plain"), nullptr);
  EXPECT_EQ(file->FindNetwork("birds_all"), nullptr);
  EXPECT_NE(file->FindConfig("birds_all"), nullptr);
}

TEST(OwnNetworksFileTest, MayAddNothing) {
  EXPECT_TRUE(ParseOwnNetworks("{}", "configs.json").ok());
  const auto file = ReadOwnNetworks("/nonexistent");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->networks.empty() && file->configs.empty());
}

TEST(OwnNetworksFileTest, NamesPathLineAndField) {
  EXPECT_THAT(
      Refusal("\"mel_bands\": 64", "\"mel_bands\": 60"),
      StartsWith("dir/configs.json:8: networks[0].mel_bands: 60 is not supported; possible are 40, 64, 128, 256"));
  EXPECT_THAT(
      Refusal("15\n", "12\n"),
      StartsWith("dir/configs.json:9: networks[0].mel_hop_ms: 12 is not supported; possible are 5, 10, 15, 20, 25"));
  EXPECT_THAT(Refusal("320", "19"), AllOf(StartsWith("dir/configs.json:19: configs[0].timestamp_window_ms: 19 is not"),
                                          HasSubstr("possible are 20 to 1280")));
  EXPECT_THAT(Refusal("320", "1281"), HasSubstr("possible are 20 to 1280"));
  EXPECT_THAT(Refusal("50\n", "100\n"), StartsWith("dir/configs.json:20: configs[0].timestamp_hop_ms: 100 is not "
                                                   "supported; possible are 50"));
  EXPECT_THAT(Refusal("10,", "\"10\","), StartsWith("dir/configs.json:6: networks[0].classes: it must be a whole"));
  EXPECT_THAT(Refusal("10,", "99999999999,"),
              StartsWith("dir/configs.json:6: networks[0].classes: it must be a whole"));
  EXPECT_THAT(Refusal("\"birds.txt\"", "7"), StartsWith("dir/configs.json:7: networks[0].labels: it must be a text"));
  EXPECT_THAT(Refusal("\"classes\"", "\"clases\""),
              AllOf(StartsWith("dir/configs.json:6: networks[0]: there is no 'clases' here"),
                    HasSubstr("checkpoint, classes")));
  EXPECT_THAT(Refusal(", \"checkpoint\": \"plain.pt\"", ""),
              StartsWith("dir/configs.json:11: networks[1]: its checkpoint is missing"));
  EXPECT_THAT(Refusal("\"networks\"", "\"nets\""), StartsWith("dir/configs.json:2: there is no 'nets' here"));
  EXPECT_THAT(Refusal("\"configs\": [", "\"configs\": [7,"),
              StartsWith("dir/configs.json:13: configs[0]: it must be an"));
  EXPECT_THAT(Refusal("]\n}", "]"), HasSubstr("no JSON"));
}

TEST(OwnNetworksFileTest, RefusesNamesThatAreTakenOrCannotBe) {
  EXPECT_THAT(Refusal("\"birds\",\n      \"ch", "\"mn10_as\",\n      \"ch"),
              StartsWith("dir/configs.json:4: networks[0].name: 'mn10_as' is a published name"));
  EXPECT_THAT(Refusal("\"plain\"", "\"HEARWIRE_mn01\""), HasSubstr("is a published name"));
  EXPECT_THAT(Refusal("\"birds_all\"", "\"mn10_all_b_mel_avgs\""),
              StartsWith("dir/configs.json:15: configs[0].name: 'mn10_all_b_mel_avgs' is a published name"));
  EXPECT_THAT(Refusal("\"plain\"", "\"Birds\""), HasSubstr("networks[1].name: 'Birds' is taken on line 4"));
  EXPECT_THAT(Refusal("\"birds_all\"", "\"birds\""), HasSubstr("configs[0].name: 'birds' is taken on line 4"));
  const std::string too_long(65, 'x');
  for (const char* bad : {"", "-birds", "bi rds", "bi/rds", "b.scene", "blå", too_long.c_str()}) {
    EXPECT_THAT(Refusal("\"plain\"", absl::StrCat("\"", bad, "\"")), HasSubstr("cannot be a name")) << bad;
  }
}

TEST(OwnNetworksFileTest, RefusesFilesOfOtherFolders) {
  for (const char* bad : {"", ".", "..", "/etc/passwd", "sub/birds.pt", "../birds.pt"}) {
    EXPECT_THAT(Refusal("\"birds.pt\"", absl::StrCat("\"", bad, "\"")), HasSubstr("networks[0].checkpoint: ")) << bad;
    EXPECT_THAT(Refusal("\"birds.txt\"", absl::StrCat("\"", bad, "\"")), HasSubstr("is no file of this folder")) << bad;
  }
}

TEST(OwnNetworksFileTest, RefusesUnknownNetworksFeaturesAndPoolings) {
  EXPECT_THAT(Refusal("\"mn10_as\"", "\"mn11_as\""),
              StartsWith("dir/configs.json:22: configs[1].network: no network is "
                         "called 'mn11_as'"));
  for (const char* bad : {"b16", "b", "b05", "se", "se16", "clf3", "", "B5", "b-1"}) {
    EXPECT_THAT(Refusal("\"b8\"", absl::StrCat("\"", bad, "\"")), HasSubstr(":22: configs[1].features[1]: '")) << bad;
  }
  EXPECT_THAT(Refusal("\"b8\"", "8"), HasSubstr("is no feature; there are mel_avgs, clf1"));
  EXPECT_THAT(Refusal("\"b8\"", "\"b7\""), HasSubstr("features[1]: 'b7' is there twice"));
  EXPECT_THAT(Refusal("[\"b7\", \"b8\"]", "[]"), HasSubstr("configs[1]: its features are missing"));
  EXPECT_THAT(Refusal("[\"b7\", \"b8\"]", "\"b7\""), HasSubstr("configs[1].features: it must be a list"));
  EXPECT_THAT(Refusal("add_avg_max_ch", "median"),
              AllOf(StartsWith("dir/configs.json:18: configs[0].pooling: 'median' is "
                               "no pooling"),
                    HasSubstr("avg_ch, max_ch")));
}

TEST(OwnNetworksFileTest, RefusesFeaturesThatTheNetworkHasNot) {
  const auto check = [](const std::string& feature, const char* network) {
    const auto file = ParseOwnNetworks(absl::StrCat("{\"configs\": [{\"name\": \"a\", \"network\": \"", network,
                                                    "\", \"features\":\n[\"", feature, "\"]}]}"),
                                       "f");
    EXPECT_TRUE(file.ok()) << file.status();
    const absl::Status status = CheckFeatures(*file, file->configs[0], *FindNetwork(network));
    return status.ok() ? "taken" : std::string(status.message());
  };
  EXPECT_EQ(check("clf2", "mn10_as"), "taken");
  EXPECT_THAT(check("clf2", "mn10_as_fc"), StartsWith("f:2: configs[0].features[0]: mn10_as_fc has no clf2"));
  EXPECT_EQ(check("se4", "mn10_as"), "taken");
  EXPECT_THAT(check("se3", "mn10_as"),
              HasSubstr("no squeeze-excite; those that have one are 4, 5, 6, 11, 12, 13, 14, 15"));
  EXPECT_THAT(check("se0", "mn10_as"), HasSubstr("no squeeze-excite"));
}

}  // namespace
}  // namespace hearwire
