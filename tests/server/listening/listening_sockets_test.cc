#include "server/listening/listening_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

using testing::HasSubstr;

std::string Refusal(const std::string& host, int port) {
  return std::string(ListenOnTcp(host, port).status().message());
}

bool IsSet(const FileDescriptor& socket, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  getsockopt(socket.get(), SOL_SOCKET, option, &value, &size);
  return value != 0;
}

TEST(ListeningSocketsTest, TakesAFreePortAndKeepsItToItself) {
  const auto first = ListenOnTcp("127.0.0.1", 0);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->sockets.size(), 1);
  EXPECT_GT(first->port, 0);
  EXPECT_TRUE(IsSet(first->sockets[0], SO_REUSEADDR));
  EXPECT_FALSE(IsSet(first->sockets[0], SO_REUSEPORT));
  EXPECT_EQ(Refusal("127.0.0.1", first->port),
            absl::StrCat("cannot listen on 127.0.0.1:", first->port, " for gRPC: the port is taken"));
}

TEST(ListeningSocketsTest, SaysWhatIsNoAddressOfTheMachine) {
  EXPECT_EQ(Refusal("192.0.2.1", 8001),
            "cannot listen on 192.0.2.1:8001 for gRPC: 192.0.2.1 is no address of this machine");
  EXPECT_THAT(Refusal("no.such.host.invalid", 8001), HasSubstr("no.such.host.invalid is no address of this machine"));
}

TEST(ListeningSocketsTest, TakesIpv6WithAndWithoutBrackets) {
  for (const char* host : {"::1", "[::1]"}) {
    const auto made = ListenOnTcp(host, 0);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_THAT(Refusal(host, made->port), HasSubstr(absl::StrCat("cannot listen on [::1]:", made->port, " for gRPC")));
  }
}

// Of all addresses those of both kinds: neither can be had by another program.
TEST(ListeningSocketsTest, TakesEveryAddressOfBothKinds) {
  for (const char* host : {"0.0.0.0", "::"}) {
    const auto all = ListenOnTcp(host, 0);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_THAT(Refusal("127.0.0.1", all->port), HasSubstr("the port is taken")) << host;
    EXPECT_THAT(Refusal("::1", all->port), HasSubstr("the port is taken")) << host;
  }
}

TEST(ListeningSocketsTest, MakesASocketOfTheMachine) {
  const std::string path = absl::StrCat(testing::TempDir(), "listening_sockets_test_", getpid(), ".sock");
  {
    auto made = ListenOnUnixSocket(path, 0620);
    ASSERT_TRUE(made.ok()) << made.status();
    struct stat found;
    ASSERT_EQ(stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0620);
    EXPECT_THAT(std::string(ListenOnUnixSocket(path, 0600).status().message()),
                HasSubstr("another program listens there"));
  }
  // One that was left behind is taken over, and its file is removed by whoever made it alone.
  const SocketFile left(path);
  std::filesystem::rename(path, path + ".left");
  auto next = ListenOnUnixSocket(path, 0600);
  ASSERT_TRUE(next.ok()) << next.status();
  left.Remove();
  EXPECT_TRUE(std::filesystem::exists(path));
  SocketFile(path).Remove();
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::remove(path + ".left");

  std::ofstream(path) << "precious";
  EXPECT_THAT(std::string(ListenOnUnixSocket(path, 0600).status().message()), HasSubstr("the name is taken by a file"));
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace hearwire
