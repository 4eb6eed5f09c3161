#include "server/pipeline/head_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/log_mel/clip_windows.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/fixtures/head_file.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A folder of heads that is removed with the test, and a catalog of the embedded network alone.
class HeadCatalogTest : public ::testing::Test {
 protected:
  HeadCatalogTest() : networks_(NetworkCatalog::Load({}, &backend_).value()) {
    std::string path = (fs::temp_directory_path() / "hearwire-heads-XXXXXX").string();
    outside_ = mkdtemp(path.data());
    folder_ = outside_ + "/heads";
    fs::create_directory(folder_);
  }
  ~HeadCatalogTest() override { fs::remove_all(outside_); }

  static HeadFile GoodHead() {
    return MakeHeadFile(kEmbeddedConfigName, {FindConfig(kEmbeddedConfigName)->embedding_size(), 3});
  }
  void PutBytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  void Put(const std::string& file, const HeadFile& head = GoodHead()) { PutBytes(folder_ + "/" + file, head.Bytes()); }
  void PutWith(const std::string& file, const std::string& key, const std::string& value) {
    HeadFile head = GoodHead();
    head.metadata[key] = value;
    Put(file, head);
  }

  absl::StatusOr<HeadCatalog> Load(bool allow_mismatch = false) {
    return HeadCatalog::Load({.folder = folder_, .allow_mismatch = allow_mismatch, .precision = "float32"}, networks_);
  }
  // What the folder is refused with.
  std::string Refused(absl::StatusCode code) {
    const absl::Status status = Load().status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }
  static std::vector<std::string> Names(const HeadCatalog& catalog) {
    std::vector<std::string> names;
    for (const auto& loaded : catalog.heads()) names.push_back(loaded->head.name);
    return names;
  }

  FakeBackend backend_;
  NetworkCatalog networks_;
  std::string outside_;  // The folder that the heads' folder is in.
  std::string folder_;
};

TEST_F(HeadCatalogTest, IsEmptyWithoutAFolder) {
  const auto catalog = HeadCatalog::Load({}, networks_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(catalog->heads(), IsEmpty());
  EXPECT_THAT(catalog->warnings(), IsEmpty());
  EXPECT_EQ(catalog->Find("a"), nullptr);
}

TEST_F(HeadCatalogTest, HoldsEveryHeadByNameAndIgnoresOtherFiles) {
  Put("b.safetensors");
  Put("a.1.safetensors");
  Put("B-2_x.SafeTensors");
  PutBytes(folder_ + "/README.md", "not looked at");
  PutBytes(folder_ + "/a.safetensors.part", "not looked at");
  fs::create_directory(folder_ + "/deeper");
  PutBytes(folder_ + "/deeper/c.safetensors", "not looked at");
  const auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(Names(*catalog), ElementsAre("B-2_x", "a.1", "b"));
  EXPECT_THAT(catalog->warnings(), IsEmpty());
  for (const char* name : {"B-2_x", "a.1", "b"}) {
    const std::shared_ptr<const LoadedHead> head = catalog->Find(name);
    ASSERT_NE(head, nullptr) << name;
    EXPECT_EQ(head->head.name, name);
    EXPECT_EQ(head->config.get(), FindConfig(kEmbeddedConfigName));
    EXPECT_EQ(head->network, networks_.Find(kEmbeddedNetworkName));
  }
  EXPECT_EQ(catalog->Find("a"), nullptr);
  EXPECT_EQ(catalog->Find("c"), nullptr);
  EXPECT_EQ(catalog->Find("b")->source, folder_ + "/b.safetensors");
}

TEST_F(HeadCatalogTest, WarnsOfAFolderWithoutAHead) {
  const auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(catalog->warnings(), ElementsAre(AllOf(HasSubstr(folder_), HasSubstr("NAME.safetensors"))));
}

TEST_F(HeadCatalogTest, RefusesAFolderThatIsNone) {
  folder_ += "/nothing";
  EXPECT_THAT(Refused(absl::StatusCode::kNotFound), AllOf(HasSubstr("--heads: " + folder_), HasSubstr("not a folder")));
  PutBytes(folder_, "a file");
  EXPECT_THAT(Refused(absl::StatusCode::kNotFound), HasSubstr("not a folder"));
}

TEST_F(HeadCatalogTest, RefusesABadHeadAndNamesItsFile) {
  Put("a.safetensors");
  PutBytes(folder_ + "/b.safetensors", "no head");
  EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument), HasSubstr(folder_ + "/b.safetensors: has 7 bytes"));
  PutWith("b.safetensors", "labels", R"(["a", "b"])");
  EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument), HasSubstr("b.safetensors: has 2 labels"));
  fs::remove(folder_ + "/b.safetensors");
  fs::create_directory(folder_ + "/b.safetensors");
  EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument), HasSubstr("b.safetensors: not a regular file"));
}

TEST_F(HeadCatalogTest, RefusesNamesThatAHeadCannotHave) {
  for (const char* name : {".safetensors", "._a.safetensors", "my head.safetensors", "ä.safetensors"}) {
    Put(name);
    EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument), HasSubstr("needs another name")) << name;
    fs::remove(folder_ + "/" + name);
  }
}

TEST_F(HeadCatalogTest, RefusesTwoOfOneName) {
  Put("birds.safetensors");
  Put("Birds.safetensors");
  EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument),
              AllOf(HasSubstr("/birds.safetensors"), HasSubstr("/Birds.safetensors"), HasSubstr("one name")));
  fs::remove(folder_ + "/Birds.safetensors");
  Put("birds.SAFETENSORS");
  EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument), HasSubstr("one name"));
}

TEST_F(HeadCatalogTest, FollowsLinksWithinTheFolderOnly) {
  // As Kubernetes mounts a volume: each file a link into a folder, which is a link itself.
  fs::create_directory(folder_ + "/..2026");
  Put("..2026/a.safetensors");
  fs::create_directory_symlink("..2026", folder_ + "/..data");
  fs::create_symlink("..data/a.safetensors", folder_ + "/a.safetensors");
  auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(Names(*catalog), ElementsAre("a"));
  // The folder itself may be a link.
  fs::create_directory_symlink("heads", outside_ + "/link");
  catalog = HeadCatalog::Load({.folder = outside_ + "/link", .precision = "float32"}, networks_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();

  PutBytes(outside_ + "/b.safetensors", GoodHead().Bytes());
  fs::create_symlink("../b.safetensors", folder_ + "/b.safetensors");
  EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument),
              AllOf(HasSubstr(folder_ + "/b.safetensors is a link that leads out of the folder"),
                    HasSubstr(outside_ + "/b.safetensors")));
  // A folder whose name begins as this one's does is another one.
  fs::create_directory(folder_ + "-2");
  fs::rename(outside_ + "/b.safetensors", folder_ + "-2/b.safetensors");
  fs::remove(folder_ + "/b.safetensors");
  fs::create_symlink("../heads-2/b.safetensors", folder_ + "/b.safetensors");
  EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument), HasSubstr("leads out of the folder"));
  fs::remove_all(folder_ + "-2");
  EXPECT_THAT(Refused(absl::StatusCode::kNotFound), HasSubstr("b.safetensors is a link to a file that is not there"));
}

TEST_F(HeadCatalogTest, RefusesAConfigThatIsNotKnown) {
  PutWith("a.safetensors", "config", "hearwire_mn01_all_b_mel_avg");
  EXPECT_THAT(Refused(absl::StatusCode::kNotFound),
              AllOf(HasSubstr("/a.safetensors reads"), HasSubstr("\"hearwire_mn01_all_b_mel_avg\""),
                    HasSubstr("did you mean hearwire_mn01_all_b_mel_avgs")));
}

TEST_F(HeadCatalogTest, RefusesAConfigWhoseNetworkIsNotLoaded) {
  PutWith("a.safetensors", "config", "mn10_all_b_mel_avgs");
  EXPECT_THAT(Refused(absl::StatusCode::kFailedPrecondition),
              AllOf(HasSubstr("/a.safetensors"), HasSubstr("config mn10_all_b_mel_avgs"), HasSubstr("network mn10_as"),
                    HasSubstr("loaded: hearwire_mn01"), HasSubstr("hearwire checkpoints fetch mn10_as")));
}

TEST_F(HeadCatalogTest, RefusesEmbeddingsOfAnotherSizeThanTheConfigs) {
  const int size = FindConfig(kEmbeddedConfigName)->embedding_size();
  Put("a.safetensors", MakeHeadFile(kEmbeddedConfigName, {size + 1, 3}));
  EXPECT_THAT(Refused(absl::StatusCode::kInvalidArgument),
              HasSubstr("takes embeddings of " + std::to_string(size + 1) + " values; those of the config " +
                        std::string(kEmbeddedConfigName) + " have " + std::to_string(size)));
}

TEST_F(HeadCatalogTest, RefusesAnotherSpaceUnlessItIsAllowed) {
  const std::pair<std::string, std::string> differences[] = {
      {"weights_sha256", std::string(64, 'a')}, {"frontend", "another"}, {"precision", "float16"}};
  for (const auto& [key, value] : differences) {
    PutWith("a.safetensors", key, value);
    const auto tells_both = AllOf(HasSubstr("/a.safetensors was trained in another embedding space"),
                                  HasSubstr(key + " '" + value + "', this server's is '"), HasSubstr("hearwire_mn01"));
    EXPECT_THAT(Refused(absl::StatusCode::kFailedPrecondition), AllOf(tells_both, HasSubstr("--head-mismatch=warn")));
    const auto catalog = Load(/*allow_mismatch=*/true);
    ASSERT_TRUE(catalog.ok()) << catalog.status();
    EXPECT_THAT(Names(*catalog), ElementsAre("a"));
    EXPECT_THAT(catalog->warnings(), ElementsAre(tells_both));
  }
}

TEST_F(HeadCatalogTest, ComparesOnlyWhatTheHeadSays) {
  HeadFile head = GoodHead();
  head.metadata["frontend"] = std::string(kFrontendVersion);
  Put("a.safetensors", head);
  head.metadata["precision"] = "float32";
  Put("b.safetensors", head);
  Put("c.safetensors");
  const auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(catalog->warnings(), IsEmpty());
}

}  // namespace
}  // namespace hearwire
