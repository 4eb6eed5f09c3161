#include "server/pipeline/network_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "models/weights/embedded_network.h"
#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/fixtures/shared_data.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A folder that is removed with the test. The embedded network's bytes are a valid checkpoint of width 0.1 with the mlp
// head, as mn01_as is.
class NetworkCatalogTest : public ::testing::Test {
 protected:
  NetworkCatalogTest() {
    std::string path = (fs::temp_directory_path() / "hearwire-catalog-XXXXXX").string();
    folder_ = mkdtemp(path.data());
  }
  ~NetworkCatalogTest() override { fs::remove_all(folder_); }

  void Put(const std::string& name, std::string_view bytes = EmbeddedCheckpoint()) {
    std::ofstream(folder_ + "/" + name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  absl::StatusOr<NetworkCatalog> Load(std::vector<std::string> networks = {}) {
    return NetworkCatalog::Load({.model_repository = folder_, .networks = std::move(networks)}, &backend_);
  }
  static std::vector<std::string> Names(const NetworkCatalog& catalog) {
    std::vector<std::string> names;
    for (const auto& network : catalog.networks()) names.emplace_back(network->info->name);
    return names;
  }

  std::string folder_;
  FakeBackend backend_;
};

TEST_F(NetworkCatalogTest, HoldsTheEmbeddedNetworkWithoutARepository) {
  const auto catalog = NetworkCatalog::Load({}, &backend_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(Names(*catalog), ElementsAre("hearwire_mn01"));
  const std::shared_ptr<const LoadedNetwork> network = catalog->Find("hearwire_mn01");
  ASSERT_NE(network, nullptr);
  EXPECT_EQ(network->index, 0);
  EXPECT_EQ(network->source, "embedded");
  EXPECT_EQ(network->sha256, FindNetwork("hearwire_mn01")->sha256);
  EXPECT_EQ(catalog->Find("mn10_as"), nullptr);
}

TEST_F(NetworkCatalogTest, FindsCheckpointsByOwnAndByPublishedNameAndIgnoresOtherFiles) {
  Put("mn01_as_mAP_298.pt");
  Put("mn01_as_seeded.pt", "not looked at");
  Put("README.md", "not looked at");
  auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(Names(*catalog), ElementsAre("hearwire_mn01", "mn01_as"));
  EXPECT_EQ(catalog->Find("mn01_as")->index, 1);
  EXPECT_EQ(catalog->Find("mn01_as")->source, folder_ + "/mn01_as_mAP_298.pt");

  fs::rename(folder_ + "/mn01_as_mAP_298.pt", folder_ + "/mn01_as.pt");
  catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_EQ(catalog->Find("mn01_as")->source, folder_ + "/mn01_as.pt");
  EXPECT_THAT(catalog->warnings(), IsEmpty());
}

TEST_F(NetworkCatalogTest, PrefersTheNetworksOwnNameAndWarns) {
  Put("mn01_as.pt");
  Put("mn01_as_mAP_298.pt", "a shadowed file is not read");
  Put("hearwire_mn01.pt", "nor is this");
  const auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_EQ(catalog->Find("mn01_as")->source, folder_ + "/mn01_as.pt");
  EXPECT_THAT(catalog->warnings(),
              ElementsAre(AllOf(HasSubstr("mn01_as_mAP_298.pt is not read"), HasSubstr("mn01_as.pt")),
                          HasSubstr("hearwire_mn01.pt is not read")));
}

TEST_F(NetworkCatalogTest, AddsOnlyWhatIsNotServed) {
  Put("mn01_as.pt");
  const NetworkCatalog served = Load().value();
  std::vector<std::string> added;
  std::vector<int64_t> memory;
  NetworkCatalogOptions options{.model_repository = folder_, .served = &served};
  options.check_memory = [&](int64_t bytes) {
    memory.push_back(bytes);
    return absl::OkStatus();
  };
  const auto load = [&] {
    return NetworkCatalog::Load(options, [&](const NetworkInfo& info, const std::shared_ptr<const NetworkWeights>&) {
      added.emplace_back(info.name);
      return AddedNetwork{.index = 7};
    });
  };
  absl::StatusOr<NetworkCatalog> again = load();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(added, IsEmpty());
  EXPECT_THAT(again->Without(served).networks(), IsEmpty());

  // The same network under its other name, which goes behind: still the same. And it alone counts for memory.
  fs::rename(folder_ + "/mn01_as.pt", folder_ + "/mn01_as_mAP_298.pt");
  ASSERT_TRUE(load().ok());
  EXPECT_THAT(added, IsEmpty());
  EXPECT_THAT(memory, IsEmpty());

  const std::string other = SeededCheckpoint(0.1, HeadKind::kMlp);
  Put("mn01_as.pt", other);
  again = load();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(added, ElementsAre("mn01_as"));
  ASSERT_EQ(again->Without(served).networks().size(), 1u);
  EXPECT_EQ(again->Find("mn01_as")->index, 7);
  ASSERT_EQ(memory.size(), 1u);
  EXPECT_GT(memory[0], static_cast<int64_t>(other.size()));

  options.check_memory = [](int64_t) { return absl::ResourceExhaustedError("too little"); };
  EXPECT_EQ(load().status(), absl::ResourceExhaustedError(folder_ + "/mn01_as.pt: too little"));
}

TEST_F(NetworkCatalogTest, LoadsOnlyThoseOfTheList) {
  Put("mn01_as.pt");
  Put("mn02_as.pt", "not looked at");
  const auto catalog = Load({"mn01_as", "mn01_as", "hearwire_mn01"});
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(Names(*catalog), ElementsAre("hearwire_mn01", "mn01_as"));
}

TEST_F(NetworkCatalogTest, NamesTheFilesAndTheCommandForAListedNetworkThatIsMissing) {
  const auto catalog = Load({"mn10_as"});
  EXPECT_EQ(catalog.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(catalog.status().message()),
              AllOf(HasSubstr("mn10_as.pt"), HasSubstr("mn10_as_mAP_471.pt"),
                    HasSubstr("hearwire checkpoints fetch mn10_as --into " + folder_)));
  const auto without = NetworkCatalog::Load({.networks = {"mn10_as"}}, &backend_);
  EXPECT_EQ(without.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(without.status().message()), HasSubstr("--model-repository"));
}

TEST_F(NetworkCatalogTest, RefusesUnknownNetworksAndMissingFolders) {
  const auto unknown = Load({"mn11_as"});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.status().message()), AllOf(HasSubstr("mn11_as"), HasSubstr("mn10_as")));
  const auto missing = NetworkCatalog::Load({.model_repository = folder_ + "/none"}, &backend_);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr(folder_ + "/none"));
}

TEST_F(NetworkCatalogTest, RefusesAFileOfAnotherNetwork) {
  Put("mn10_as.pt");
  const auto catalog = Load();
  EXPECT_EQ(catalog.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(catalog.status().message()),
              AllOf(HasSubstr("mn10_as.pt"), HasSubstr("width 0.1"), HasSubstr("has width 1")));
}

TEST_F(NetworkCatalogTest, RefusesAFileThatIsNoCheckpoint) {
  Put("mn01_as.pt", "no checkpoint");
  const auto catalog = Load();
  EXPECT_EQ(catalog.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(catalog.status().message()), HasSubstr("mn01_as.pt"));
}

TEST_F(NetworkCatalogTest, RefusesWhatBearsACheckpointsNameAndCannotBeRead) {
  const std::string path = folder_ + "/mn01_as_mAP_298.pt";
  const auto refusal = [&] { return std::string(Load().status().message()); };
  fs::create_directory(path);
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path), HasSubstr("not a regular file")));
  fs::remove(path);
  fs::create_symlink(folder_ + "/moved_away.pt", path);
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path), HasSubstr("is a link to a file that is not there")));
  fs::remove(path);
  fs::create_symlink(path, path);
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path), HasSubstr("symbolic links")));
}

TEST_F(NetworkCatalogTest, RefusesAFolderWhoseFilesCannotBeLookedAt) {
  // Long enough that it can be opened and nothing in it can: permissions would not stop a privileged user.
  const std::string folder = folder_ + std::string(4090 - folder_.size(), '/');
  const auto catalog = NetworkCatalog::Load({.model_repository = folder}, &backend_);
  EXPECT_THAT(std::string(catalog.status().message()), HasSubstr("cannot be looked at"));
}

TEST_F(NetworkCatalogTest, WarnsWhenARepositoryHasNothingForIt) {
  Put("mn10_as.pth", "not looked at");
  const auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(catalog->warnings(), ElementsAre(AllOf(HasSubstr("no checkpoint was found in " + folder_),
                                                     HasSubstr("hearwire checkpoints fetch mn10_as"))));
  const auto wanted = Load({"hearwire_mn01"});
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  EXPECT_THAT(wanted->warnings(), IsEmpty());
}

TEST_F(NetworkCatalogTest, TellsThePublishedFileFromOthersByItsHash) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  const std::string published = SharedDataDir() + "/golden/checkpoints/mn04_as_mAP_432.pt";
  fs::create_symlink(published, folder_ + "/mn04_as.pt");
  const auto catalog = Load();
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(catalog->warnings(), IsEmpty());
  EXPECT_EQ(catalog->Find("mn04_as")->sha256, FindNetwork("mn04_as")->sha256);
}

}  // namespace
}  // namespace hearwire
