// Engines over backends that compute: the native one with its best kernels and with its plainest.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/native/native_backend.h"
#include "server/engines/engines.h"
#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/server/batching/recording_observer.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(NativeEnginesTest, PlaceANetworkOnTheFasterOfTwoThatPassTheSelfTest) {
  for (const bool plain_first : {false, true}) {
    std::vector<EngineSpec> specs;
    for (const bool plain : {plain_first, !plain_first}) {
      BatcherOptions batching;
      batching.queue.max_batch_frames = plain ? 4095 : 4096;  // By which they are told apart.
      specs.push_back({MakeNativeBackend({.plain_kernels = plain}).value(), batching});
    }
    RecordingObserver observer;
    const auto engines = Engines::Load(std::move(specs), {});
    ASSERT_TRUE(engines.ok()) << engines.status();
    ASSERT_TRUE((*engines)->Start(&observer).ok());
    const absl::StatusOr<SelfTestReport> report =
        (*engines)->Test([](const NetworkCatalog& networks, std::string_view precision, Batcher* batcher) {
          return RunSelfTest(networks, precision, batcher);
        });
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->checks.size(), 5u);
    const std::vector<EngineInfo> in_use = (*engines)->InUse();
    ASSERT_EQ(in_use.size(), 1u);
    EXPECT_EQ(in_use[0].batching.queue.max_batch_frames, 4096);
  }
}

// A server's engines on a folder of checkpoints.
class ReloadingEnginesTest : public ::testing::Test {
 protected:
  ReloadingEnginesTest() {
    std::string path = (fs::temp_directory_path() / "hearwire-engines-XXXXXX").string();
    folder_ = mkdtemp(path.data());
    Put("mn01_as.pt", 1);
  }
  ~ReloadingEnginesTest() override { fs::remove_all(folder_); }

  void Put(const std::string& file, uint32_t seed) {
    std::ofstream(folder_ + "/" + file, std::ios::binary) << SeededCheckpoint(0.1, HeadKind::kMlp, seed);
  }
  void Begin(std::unique_ptr<Backend> backend, NetworkCatalogOptions options = {}) {
    backend_ = backend.get();
    std::vector<EngineSpec> specs;
    specs.push_back({std::move(backend), {}});
    options.model_repository = folder_;
    engines_ = Engines::Load(std::move(specs), options).value();
    ASSERT_TRUE(engines_->Start(&observer_).ok());
    ASSERT_TRUE(engines_->Test(self_test_).ok());
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& network : engines_->networks().networks()) names.emplace_back(network->info->name);
    return names;
  }

  std::string folder_;
  Backend* backend_ = nullptr;
  RecordingObserver observer_;
  int tested_ = 0;
  SelfTest self_test_ = [this](const NetworkCatalog& networks, std::string_view precision, Batcher* batcher) {
    tested_ += static_cast<int>(networks.networks().size());
    return RunSelfTest(networks, precision, batcher);
  };
  std::unique_ptr<Engines> engines_;
};

TEST_F(ReloadingEnginesTest, LoadAndTestOnlyWhatIsNewAndChangeNothingBeforeItIsAdopted) {
  Begin(MakeNativeBackend().value());
  const auto embedded = engines_->networks().Find("hearwire_mn01");
  auto old = engines_->networks().Find("mn01_as");
  Put("mn01_as.pt", 2);
  Put("mn02_as.pt", 3);
  tested_ = 0;
  EXPECT_THAT(std::string(engines_->LoadAgain(self_test_).status().message()), HasSubstr("mn02_as.pt"))
      << "it has another width";
  EXPECT_EQ(tested_, 0);
  fs::remove(folder_ + "/mn02_as.pt");
  absl::StatusOr<NetworkCatalog> next = engines_->LoadAgain(self_test_);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(tested_, 1);
  EXPECT_EQ(engines_->networks().Find("mn01_as"), old);
  EXPECT_EQ(next->Find("hearwire_mn01"), embedded);
  const auto replaced = next->Find("mn01_as");
  EXPECT_NE(replaced, old);
  EXPECT_NE(replaced->index, old->index) << "side by side";
  EXPECT_EQ(engines_->NetworkName("cpu", replaced->index), "mn01_as");
  engines_->Adopt(*next);
  EXPECT_EQ(engines_->networks().Find("mn01_as"), replaced);
  EXPECT_EQ(engines_->InUse().at(0).networks.size(), 2u);
}

TEST_F(ReloadingEnginesTest, GiveANetworkBackWhenNobodyHasIt) {
  Begin(MakeNativeBackend().value());
  auto old = engines_->networks().Find("mn01_as");
  const int index = old->index;
  Put("mn01_as.pt", 2);
  engines_->Adopt(engines_->LoadAgain(self_test_).value());
  // A call has it still: others do not get its place.
  Put("mn01_as.pt", 3);
  NetworkCatalog next = engines_->LoadAgain(self_test_).value();
  EXPECT_EQ(next.Find("mn01_as")->index, index + 2);
  old.reset();
  Put("mn01_as.pt", 4);
  EXPECT_EQ(engines_->LoadAgain(self_test_).value().Find("mn01_as")->index, index);
}

TEST_F(ReloadingEnginesTest, ForgetANetworkThatHasGone) {
  Begin(MakeNativeBackend().value());
  fs::remove(folder_ + "/mn01_as.pt");
  engines_->Adopt(engines_->LoadAgain(self_test_).value());
  EXPECT_THAT(Names(), ElementsAre("hearwire_mn01"));
  EXPECT_EQ(engines_->InUse().at(0).networks.size(), 1u);
}

TEST_F(ReloadingEnginesTest, NameTheFileOfANetworkThatFailsItsTest) {
  Begin(MakeNativeBackend().value());
  Put("mn01_as.pt", 2);
  const absl::Status failed =
      engines_->LoadAgain([](auto&&...) { return absl::StatusOr<SelfTestReport>(absl::InternalError("value 9")); })
          .status();
  EXPECT_EQ(failed, absl::InternalError(folder_ + "/mn01_as.pt: value 9"));
  // What was loaded in vain has gone.
  const auto next = engines_->LoadAgain(self_test_);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->Find("mn01_as")->index, 2);
}

TEST_F(ReloadingEnginesTest, SayThatABackendTakesNoOtherNetworks) {
  self_test_ = [](auto&&...) { return SelfTestReport(); };
  Begin(std::make_unique<FakeBackend>());
  EXPECT_TRUE(engines_->LoadAgain(self_test_).ok()) << "nothing has changed";
  Put("mn01_as.pt", 2);
  const absl::Status refused = engines_->LoadAgain(self_test_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("mn01_as.pt: the backend fake takes no other networks"));
  fs::remove(folder_ + "/mn01_as.pt");
  EXPECT_TRUE(engines_->LoadAgain(self_test_).ok()) << "one may go";
}

}  // namespace
}  // namespace hearwire
