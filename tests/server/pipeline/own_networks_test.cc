#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "models/weights/embedded_network.h"
#include "server/pipeline/network_catalog.h"
#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/fake_embedder.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kClasses = 3;
constexpr char kLabels[] = "wren\nrobin\nowl\n";
constexpr char kFile[] = R"({
  "networks": [{"name": "birds", "checkpoint": "fine-tuned.pt",
    "labels": "birds.txt"}],
  "configs": [{"name": "birds_b5", "network": "birds", "features": ["b5", "logits"]},
    {"name": "mn10_b7_b8", "network": "mn10_as", "features": ["b7", "b8"]}]
})";

// A repository with a network of three classes, of another head than most. It is removed with the test.
class OwnNetworksTest : public ::testing::Test {
 protected:
  OwnNetworksTest() {
    std::string path = (fs::temp_directory_path() / "hearwire-own-XXXXXX").string();
    folder_ = mkdtemp(path.data());
    Put("fine-tuned.pt", SeededCheckpoint(0.1, HeadKind::kFullyConvolutional, 1, kClasses));
    Put("birds.txt", kLabels);
    Put("configs.json", kFile);
  }
  ~OwnNetworksTest() override { fs::remove_all(folder_); }

  void Put(const std::string& name, std::string_view bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  absl::StatusOr<NetworkCatalog> Load(std::vector<std::string> networks = {}, const NetworkCatalog* served = nullptr) {
    return NetworkCatalog::Load({.model_repository = folder_, .networks = std::move(networks), .served = served},
                                &backend_);
  }
  std::string Refusal(const std::string& file) {
    Put("configs.json", file);
    const auto catalog = Load();
    return catalog.ok() ? "taken" : std::string(catalog.status().message());
  }
  std::string RefusalOfNetwork(const std::string& members) {
    return Refusal(absl::StrCat("{\"networks\": [{\"name\": \"birds\", ", members, "}]}"));
  }

  std::string folder_;
  FakeBackend backend_;
};

TEST_F(OwnNetworksTest, ServesThemWithLabelsBesideThePublishedOnes) {
  const auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  const auto birds = catalog->Find("birds");
  ASSERT_NE(birds, nullptr);
  EXPECT_EQ(birds->source, folder_ + "/fine-tuned.pt");
  EXPECT_EQ(birds->info->width, 0.1);
  EXPECT_EQ(birds->info->head, HeadKind::kFullyConvolutional);
  EXPECT_EQ(birds->shape.class_count, kClasses);
  EXPECT_THAT(birds->info->class_names(), ElementsAre("wren", "robin", "owl"));
  const auto config = catalog->known()->FindConfig("birds_b5");
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(config->network, birds->info);
  EXPECT_EQ(config->embedding_size(), birds->shape.blocks[4].out_channels + kClasses);
  EXPECT_EQ(catalog->known()->FindConfig("mn10_b7_b8")->network, FindNetwork("mn10_as"));
  EXPECT_EQ(catalog->Find("mn10_as"), nullptr) << "a config may be of a network that is not loaded";
  EXPECT_NE(catalog->known()->FindConfig(kEmbeddedConfigName), nullptr);
  EXPECT_TRUE(catalog->warnings().empty());
}

TEST_F(OwnNetworksTest, LeavesOutThoseThatAreNotListed) {
  const auto catalog = Load({"hearwire_mn01"});
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_EQ(catalog->Find("birds"), nullptr);
  EXPECT_EQ(catalog->known()->FindNetwork("birds"), nullptr);
  EXPECT_EQ(catalog->known()->FindConfig("birds_b5"), nullptr);
  EXPECT_NE(catalog->known()->FindConfig("mn10_b7_b8"), nullptr);

  EXPECT_NE(Load({"birds"})->Find("birds"), nullptr);
  EXPECT_THAT(std::string(Load({"bird"}).status().message()),
              AllOf(HasSubstr("\"bird\""), HasSubstr("mn40_as"), HasSubstr("birds")));
}

TEST_F(OwnNetworksTest, KeepsAServedNetworkWhileNothingOfItChanges) {
  const auto before = Load();
  ASSERT_TRUE(before.ok()) << before.status();
  const auto again = Load({}, &*before);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->Find("birds"), before->Find("birds"));
  EXPECT_EQ(again->known()->FindConfig("birds_b5")->network, before->Find("birds")->info);

  Put("birds.txt", "wren\nrobin\neagle owl\n");
  const auto relabelled = Load({}, &*before);
  ASSERT_TRUE(relabelled.ok()) << relabelled.status();
  EXPECT_NE(relabelled->Find("birds"), before->Find("birds"));
  EXPECT_EQ(relabelled->Find("birds")->info->class_names()[2], "eagle owl");
  EXPECT_EQ(before->Find("birds")->info->class_names()[2], "owl") << "for the calls that have begun";

  Put("birds.txt", "wren\n");
  EXPECT_FALSE(Load({}, &*before).ok());
}

TEST_F(OwnNetworksTest, SaysWhereAWrongNetworkStands) {
  const std::string path = folder_ + "/configs.json";
  const std::string checkpoint = "\"checkpoint\": \"fine-tuned.pt\"";
  EXPECT_THAT(RefusalOfNetwork(checkpoint),
              AllOf(StartsWith(path + ":1: networks[0]: its labels are missing: fine-tuned.pt has 3 classes"),
                    HasSubstr("not AudioSet's 527")));
  EXPECT_THAT(RefusalOfNetwork(checkpoint + ",\n\"labels\": \"birds.txt\", \"classes\": 4"),
              StartsWith(path + ":2: networks[0].classes: fine-tuned.pt has 3 classes, not 4"));
  EXPECT_EQ(RefusalOfNetwork(checkpoint + ", \"labels\": \"birds.txt\", \"classes\": 3"), "taken");
  EXPECT_THAT(RefusalOfNetwork(checkpoint + ",\n\"labels\": \"none.txt\""),
              AllOf(StartsWith(path + ":2: networks[0].labels: "), HasSubstr(folder_ + "/none.txt")));
  EXPECT_THAT(RefusalOfNetwork("\"checkpoint\":\n\"none.pt\", \"labels\": \"birds.txt\""),
              AllOf(StartsWith(path + ":2: networks[0].checkpoint: "), HasSubstr(folder_ + "/none.pt")));
  Put("birds.txt", "wren\nrobin\n");
  EXPECT_THAT(RefusalOfNetwork(checkpoint + ",\n\"labels\": \"birds.txt\""),
              StartsWith(path + ":2: networks[0].labels: birds.txt has 2 labels, and fine-tuned.pt 3 classes"));
  Put("birds.txt", "wren\n\nowl\n");
  EXPECT_THAT(RefusalOfNetwork(checkpoint + ", \"labels\": \"birds.txt\""),
              HasSubstr("networks[0].labels: " + folder_ + "/birds.txt:2: an empty line"));
  Put("fine-tuned.pt", "no checkpoint");
  Put("birds.txt", kLabels);
  EXPECT_THAT(RefusalOfNetwork(checkpoint + ", \"labels\": \"birds.txt\""),
              AllOf(StartsWith(path + ":1: networks[0].checkpoint: "), HasSubstr("fine-tuned.pt")));
}

TEST_F(OwnNetworksTest, TakesAudioSetsLabelsForAudioSetsClasses) {
  Put("plain.pt", EmbeddedCheckpoint());
  EXPECT_EQ(RefusalOfNetwork("\"checkpoint\": \"plain.pt\""), "taken");
  EXPECT_EQ(Load()->Find("birds")->info->class_names()[0], "Speech");
}

TEST_F(OwnNetworksTest, RefusesAFeatureThatTheCheckpointHasNot) {
  EXPECT_THAT(Refusal(R"({"networks": [{"name": "birds", "checkpoint": "fine-tuned.pt", "labels": "birds.txt"}],
 "configs": [{"name": "a", "network": "birds", "features": ["b5", "clf2"]}]})"),
              StartsWith(folder_ + "/configs.json:2: configs[0].features[1]: birds has no clf2"));
}

TEST_F(OwnNetworksTest, RefusesAPublishedNetworkWithOtherClasses) {
  fs::remove(folder_ + "/configs.json");
  Put("mn01_as.pt", SeededCheckpoint(0.1, HeadKind::kMlp, 1, 10));
  EXPECT_THAT(std::string(Load().status().message()),
              AllOf(HasSubstr("mn01_as.pt holds a network of 10 classes; mn01_as has 527"), HasSubstr("configs.json")));
}

}  // namespace
}  // namespace hearwire
