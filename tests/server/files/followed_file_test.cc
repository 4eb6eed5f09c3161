#include "server/files/followed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FollowedFileTest : public testing::Test {
 protected:
  FollowedFileTest() {
    std::string folder = testing::TempDir() + "hearwire-followed-XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~FollowedFileTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(Path(name)) << text; }

  std::string folder_;
};

TEST_F(FollowedFileTest, SeesThatAnotherFileHasItsName) {
  Write("file", "old");
  FollowedFile file(Path("file"));
  EXPECT_TRUE(file.HasChanged());
  EXPECT_EQ(file.Read().value(), "old");
  EXPECT_FALSE(file.HasChanged());
  Write("other", "new");
  fs::rename(Path("other"), Path("file"));
  EXPECT_TRUE(file.HasChanged());
  EXPECT_EQ(file.Read().value(), "new");
  EXPECT_FALSE(file.HasChanged());
}

TEST_F(FollowedFileTest, FollowsLinksAsSecretsAreMountedWithThem) {
  fs::create_directory(Path("1"));
  fs::create_directory(Path("2"));
  Write("1/file", "old");
  Write("2/file", "new");
  fs::create_symlink("1", Path("current"));
  FollowedFile file(Path("current/file"));
  EXPECT_EQ(file.Read().value(), "old");
  fs::create_symlink("2", Path("next"));
  fs::rename(Path("next"), Path("current"));
  EXPECT_TRUE(file.HasChanged());
  EXPECT_EQ(file.Read().value(), "new");
}

TEST_F(FollowedFileTest, SeesThatItHasGoneAndComeBack) {
  Write("file", "text");
  FollowedFile file(Path("file"));
  ASSERT_TRUE(file.Read().ok());
  fs::remove(Path("file"));
  EXPECT_TRUE(file.HasChanged());
  EXPECT_THAT(file.Read().status().message(), HasSubstr("file cannot be read: No such file"));
  EXPECT_FALSE(file.HasChanged());
  Write("file", "text");
  EXPECT_TRUE(file.HasChanged());
}

TEST_F(FollowedFileTest, ReadsNothingButSmallRegularFiles) {
  EXPECT_THAT(FollowedFile(folder_).Read().status().message(), HasSubstr("no regular file"));
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(FollowedFile(Path("fifo")).Read().status().message(), HasSubstr("no regular file"));
  Write("most", std::string(FollowedFile::kMaxBytes, 'x'));
  EXPECT_EQ(FollowedFile(Path("most")).Read()->size(), FollowedFile::kMaxBytes);
  Write("more", std::string(FollowedFile::kMaxBytes + 1, 'x'));
  EXPECT_THAT(FollowedFile(Path("more")).Read().status().message(), HasSubstr("larger than 4 MiB"));
}

}  // namespace
}  // namespace hearwire
