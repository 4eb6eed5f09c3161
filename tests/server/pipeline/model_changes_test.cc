#include "server/pipeline/model_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "models/weights/embedded_network.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/fixtures/head_file.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Folders of checkpoints and heads, loaded again and again.
class ModelChangesTest : public ::testing::Test {
 protected:
  ModelChangesTest() {
    std::string path = (fs::temp_directory_path() / "hearwire-models-XXXXXX").string();
    folder_ = mkdtemp(path.data());
    fs::create_directory(folder_ + "/heads");
  }
  ~ModelChangesTest() override { fs::remove_all(folder_); }

  void PutNetwork(const std::string& file) { Put(file, EmbeddedCheckpoint()); }
  void PutHead(const std::string& name, int labels) {
    HeadFile head = MakeHeadFile(FindConfig(kEmbeddedConfigName)->name,
                                 {FindConfig(kEmbeddedConfigName)->embedding_size(), labels});
    Put("heads/" + name + ".safetensors", head.Bytes());
  }
  void Put(const std::string& file, std::string_view bytes) {
    std::ofstream(folder_ + "/" + file, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  Models Load(const Models* served = nullptr) {
    NetworkCatalogOptions options{.model_repository = folder_};
    if (served != nullptr) options.served = &served->networks;
    NetworkCatalog networks = NetworkCatalog::Load(options, &backend_).value();
    HeadCatalog heads =
        HeadCatalog::Load({.folder = folder_ + "/heads", .allow_mismatch = true, .precision = "float32"}, networks)
            .value();
    return {std::move(networks), std::move(heads)};
  }

  std::string folder_;
  FakeBackend backend_;
};

TEST_F(ModelChangesTest, KeepsWhatHasTheSameBytes) {
  PutNetwork("mn01_as.pt");
  PutHead("cats", 3);
  const Models before = Load();
  PutNetwork("mn01_as.pt");  // Written again.
  const Models after = Load(&before);
  const ModelChanges changes = CompareModels(before, after);
  EXPECT_FALSE(changes.networks.any());
  EXPECT_THAT(changes.networks.kept, ElementsAre("hearwire_mn01", "mn01_as"));
  EXPECT_FALSE(changes.heads.any());
  EXPECT_THAT(changes.heads.kept, ElementsAre("cats"));
  EXPECT_EQ(before.networks.Find("mn01_as"), after.networks.Find("mn01_as"));
}

TEST_F(ModelChangesTest, TellsWhatHasComeAndGone) {
  PutNetwork("mn01_as.pt");
  PutHead("cats", 3);
  PutHead("dogs", 3);
  const Models before = Load();
  fs::remove(folder_ + "/mn01_as.pt");
  fs::remove(folder_ + "/heads/cats.safetensors");
  PutHead("dogs", 4);
  PutHead("birds", 2);
  const Models after = Load(&before);
  const ModelChanges changes = CompareModels(before, after);
  EXPECT_THAT(changes.networks.removed, ElementsAre("mn01_as"));
  EXPECT_THAT(changes.networks.kept, ElementsAre("hearwire_mn01"));
  EXPECT_THAT(changes.heads.added, ElementsAre("birds"));
  EXPECT_THAT(changes.heads.replaced, ElementsAre("dogs"));
  EXPECT_THAT(changes.heads.removed, ElementsAre("cats"));
  EXPECT_THAT(changes.heads.kept, IsEmpty());
  const ModelChanges back = CompareModels(after, before);
  EXPECT_THAT(back.networks.added, ElementsAre("mn01_as"));
}

TEST_F(ModelChangesTest, ANetworkThatWasLoadedAnewIsAnother) {
  PutNetwork("mn01_as.pt");
  const Models before = Load();
  const Models after = Load();  // As if nothing were served.
  EXPECT_THAT(CompareModels(before, after).networks.replaced, ElementsAre("hearwire_mn01", "mn01_as"));
}

TEST_F(ModelChangesTest, ACallKeepsWhatItFound) {
  PutNetwork("mn01_as.pt");
  ServedModels served(Load());
  const std::shared_ptr<const LoadedNetwork> found = served.Get()->networks.Find("mn01_as");
  const std::weak_ptr<const LoadedNetwork> unused = served.Get()->networks.Find("hearwire_mn01");
  fs::remove(folder_ + "/mn01_as.pt");
  served.Set(Load());
  EXPECT_EQ(served.Get()->networks.Find("mn01_as"), nullptr);
  EXPECT_EQ(found->info->name, "mn01_as");
  EXPECT_EQ(found.use_count(), 1) << "its end is this call's";
  EXPECT_TRUE(unused.expired());
}

}  // namespace
}  // namespace hearwire
