#include "client/cli/output_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/program.h"

namespace hearwire::cli {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OutputFileTest : public testing::Test {
 protected:
  static absl::Status WriteTo(const std::string& path, const std::string& text, bool force) {
    const auto file = OutputFile::Create(path, force);
    if (!file.ok()) return file.status();
    const absl::Status written = (*file)->Write(text);
    return written.ok() ? (*file)->Commit() : written;
  }

  TemporaryFolder folder_;
};

TEST_F(OutputFileTest, AppearsWhenItIsCommitted) {
  {
    const auto file = OutputFile::Create(folder_ / "a", false);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Write("text").ok());
    EXPECT_FALSE(fs::exists(folder_ / "a"));
  }
  EXPECT_THAT(folder_.Files(), testing::IsEmpty());
  EXPECT_TRUE(WriteTo(folder_ / "a", "text", false).ok());
  EXPECT_EQ(ReadFile(folder_ / "a"), "text");
  EXPECT_EQ(WriteTo(folder_ / "a", "other", false).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadFile(folder_ / "a"), "text");
}

TEST_F(OutputFileTest, KeepsWhatHasAppearedMeanwhile) {
  const auto file = OutputFile::Create(folder_ / "a", false);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Write("text").ok());
  ASSERT_EQ(mkfifo((folder_ / "a").c_str(), 0600), 0);
  EXPECT_EQ((*file)->Commit().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(fs::is_fifo(folder_ / "a"));
}

TEST_F(OutputFileTest, WritesIntoAPipe) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("pipe", folder_ / "link");
  for (const std::string& path : {pipe, folder_ / "link"}) {
    for (const bool force : {false, true}) {
      // Open for both, so that neither side waits for the other.
      const int fd = open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
      ASSERT_GE(fd, 0);
      EXPECT_TRUE(WriteTo(path, "text", force).ok());
      char bytes[8] = {};
      EXPECT_EQ(read(fd, bytes, sizeof(bytes)), 4);
      EXPECT_STREQ(bytes, "text");
      close(fd);
      EXPECT_TRUE(fs::is_fifo(pipe));
      EXPECT_THAT(folder_.Files(), ElementsAre("link", "pipe"));
    }
  }
}

TEST_F(OutputFileTest, WritesIntoADevice) {
  const std::string null = folder_ / "null";
  const std::string full = folder_ / "full";
  if (mknod(null.c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0 || access(null.c_str(), W_OK) != 0 ||
      mknod(full.c_str(), S_IFCHR | 0600, makedev(1, 7)) != 0) {
    GTEST_SKIP() << "this user makes no devices";
  }
  const int fd = open(null.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) GTEST_SKIP() << "devices do not work in " << folder_.path();
  close(fd);
  for (const bool force : {false, true}) {
    EXPECT_TRUE(WriteTo(null, "text", force).ok());
    EXPECT_TRUE(fs::is_character_file(null));
    EXPECT_THAT(std::string(WriteTo(full, "text", force).message()), HasSubstr("full: No space left on device"));
    EXPECT_TRUE(fs::is_character_file(full));
  }
}

TEST_F(OutputFileTest, ReplacesTheFileThatALinkLeadsTo) {
  folder_.Write("deep/real", "precious");
  fs::create_symlink("real", folder_ / "deep/near");
  fs::create_symlink("deep/near", folder_ / "link");
  EXPECT_EQ(WriteTo(folder_ / "link", "text", false).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadFile(folder_ / "deep/real"), "precious");
  EXPECT_TRUE(WriteTo(folder_ / "link", "text", true).ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "deep/near"));
  EXPECT_EQ(ReadFile(folder_ / "deep/real"), "text");
  EXPECT_THAT(folder_.Files(), ElementsAre("deep/near", "deep/real", "link"));
}

TEST_F(OutputFileTest, CreatesTheFileThatALinkLeadsTo) {
  for (const bool force : {false, true}) {
    const std::string name = force ? "forced" : "new";
    fs::create_symlink(name, folder_ / (name + "-link"));
    EXPECT_TRUE(WriteTo(folder_ / (name + "-link"), "text", force).ok());
    EXPECT_TRUE(fs::is_symlink(folder_ / (name + "-link")));
    EXPECT_EQ(ReadFile(folder_ / name), "text");
  }
  fs::create_symlink("loop", folder_ / "loop");
  EXPECT_FALSE(WriteTo(folder_ / "loop", "text", true).ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "loop"));
}

TEST_F(OutputFileTest, RefusesSocketsAndFolders) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder_ / "socket").c_str(), sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  for (const bool force : {false, true}) {
    EXPECT_THAT(std::string(WriteTo(folder_ / "socket", "text", force).message()), HasSubstr("socket: is a socket; "));
    EXPECT_THAT(std::string(WriteTo(folder_.path(), "text", force).message()), HasSubstr(": is a folder; "));
  }
  EXPECT_TRUE(fs::is_socket(folder_ / "socket"));
  close(fd);
}

}  // namespace
}  // namespace hearwire::cli
