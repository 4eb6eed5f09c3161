#include "server/service_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/server/notify_socket.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string UniqueName(const char* begin) { return absl::StrCat(begin, "hearwire-notify-", getpid()); }

TEST(ServiceManagerTest, TellsPathsAndAbstractSockets) {
  for (const char* begin : {"/tmp/", "@"}) {
    NotifySocket socket(UniqueName(begin));
    const auto manager = *ServiceManager::Create(socket.name());
    manager->OnServing("serving on 127.0.0.1:8001");
    EXPECT_EQ(socket.Read(), "READY=1\nSTATUS=serving on 127.0.0.1:8001") << socket.name();
    manager->OnReloading(SteadyTime() + absl::Seconds(12));
    EXPECT_EQ(socket.Read(), "RELOADING=1\nMONOTONIC_USEC=12000000\nSTATUS=reloading");
    manager->OnCannotStart("no room");
    EXPECT_EQ(socket.Read(), "STATUS=cannot start: no room");
  }
}

TEST(ServiceManagerTest, SaysNothingAfterStopping) {
  NotifySocket socket(UniqueName("@"));
  const auto manager = *ServiceManager::Create(socket.name());
  manager->OnStopping("finishing");
  EXPECT_EQ(socket.Read(), "STOPPING=1\nSTATUS=finishing");
  manager->OnServing("a reload has ended");
  EXPECT_EQ(socket.Read(/*now=*/true), "");
}

TEST(ServiceManagerTest, WritesAStatusAsOneShortLineOfAscii) {
  NotifySocket socket(UniqueName("@"));
  const auto manager = *ServiceManager::Create(socket.name());
  manager->OnServing("a\nSTOPPING=1\r\xff");
  EXPECT_EQ(socket.Read(), "READY=1\nSTATUS=a STOPPING=1 ?");
  manager->OnServing(std::string(100000, 'x'));
  EXPECT_EQ(socket.Read(), absl::StrCat("READY=1\nSTATUS=", std::string(1000, 'x')));
}

TEST(ServiceManagerTest, TellsNobodyWithoutASocketAndGoesOnWhenNobodyListens) {
  for (const std::string& name : {std::string(), UniqueName("@nobody-")}) {
    const auto manager = *ServiceManager::Create(name);
    manager->OnServing("serving");
    manager->OnStopping("stopping");
  }
}

TEST(ServiceManagerTest, GoesOnWhenTheManagerDoesNotRead) {
  int most_waiting = 0;
  std::ifstream("/proc/sys/net/unix/max_dgram_qlen") >> most_waiting;
  ASSERT_GT(most_waiting, 0);
  NotifySocket socket(UniqueName("@"));
  const auto manager = *ServiceManager::Create(socket.name());
  // One more than the system's bound may wait.
  for (int i = 0; i < most_waiting + 2; ++i) manager->OnServing("serving");
  EXPECT_EQ(socket.Read(), "READY=1\nSTATUS=serving");
}

TEST(ServiceManagerTest, RefusesWhatIsNoSocketsName) {
  const auto message = [](const std::string& name) {
    return std::string(ServiceManager::Create(name).status().message());
  };
  EXPECT_THAT(message("run/notify"), AllOf(HasSubstr("NOTIFY_SOCKET=run/notify"), HasSubstr("a path from the root")));
  EXPECT_THAT(message("vsock:2:1234"), HasSubstr("neither a path from the root nor @"));
  EXPECT_THAT(message("@"), HasSubstr("neither"));
  EXPECT_THAT(message("/"), HasSubstr("neither"));
  EXPECT_EQ(message("/" + std::string(106, 'x')), "");
  EXPECT_THAT(message("/" + std::string(107, 'x')), HasSubstr("has 108 bytes: a socket's name has 107 at most"));
  EXPECT_EQ(message("@" + std::string(107, 'x')), "");
  EXPECT_THAT(message("@" + std::string(108, 'x')), HasSubstr("has 109 bytes"));
}

}  // namespace
}  // namespace hearwire
