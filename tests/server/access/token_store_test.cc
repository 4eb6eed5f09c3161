#include "server/access/token_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/server/access/sha256_of.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class TokenStoreTest : public testing::Test {
 protected:
  TokenStoreTest() {
    std::string folder = testing::TempDir() + "hearwire-tokens-XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~TokenStoreTest() override { fs::remove_all(folder_); }

  std::string path() const { return folder_ + "/tokens"; }
  void Put(const std::string& text) const {
    std::ofstream(folder_ + "/new") << text;
    fs::rename(folder_ + "/new", path());
  }

  std::string folder_;
};

TEST_F(TokenStoreTest, FollowsItsFile) {
  Put(Sha256Of("old") + " a");
  const auto store = TokenStore::Create(path(), {}).value();
  EXPECT_FALSE(store->Reload().has_value());
  const std::shared_ptr<const TokenList> before = store->current();
  Put(Sha256Of("new") + " a");
  EXPECT_TRUE(store->Reload()->ok());
  EXPECT_EQ(store->current()->Find("old"), nullptr);
  EXPECT_NE(store->current()->Find("new"), nullptr);
  EXPECT_NE(before->Find("old"), nullptr) << "who holds a list keeps it";
}

TEST_F(TokenStoreTest, KeepsTheOldListWhileTheNewOneIsWrongAndSaysSoOnce) {
  Put(Sha256Of("old") + " a");
  const auto store = TokenStore::Create(path(), {}).value();
  Put("nonsense");
  EXPECT_THAT(store->Reload()->message(), AllOf(HasSubstr("--tokens-file " + path()), HasSubstr("line 1")));
  EXPECT_FALSE(store->Reload().has_value());
  fs::remove(path());
  EXPECT_THAT(store->Reload()->message(), HasSubstr("cannot be read"));
  EXPECT_NE(store->current()->Find("old"), nullptr);
}

TEST_F(TokenStoreTest, IsNotMadeOfAWrongFile) {
  EXPECT_THAT(TokenStore::Create(path(), {}).status().message(),
              HasSubstr("--tokens-file: " + path() + " cannot be read"));
  Put("nonsense");
  EXPECT_THAT(TokenStore::Create(path(), {}).status().message(), HasSubstr("line 1"));
}

}  // namespace
}  // namespace hearwire
