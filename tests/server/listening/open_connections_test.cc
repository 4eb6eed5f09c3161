#include "server/listening/open_connections.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

namespace hearwire {
namespace {

class NoHandler final : public ConnectionHandler {
 public:
  void Serve(FileDescriptor /*socket*/, std::optional<uid_t> /*uid*/) override {}
  Calls CountCalls(const PeerAddress& /*peer*/) override { return {}; }
};

class Counts final : public ConnectionEvents {
 public:
  void OnAccepted() override {}
  void OnOpen(int64_t connections) override { open = connections; }
  void OnRefused(Refused reason) override { ++refused[static_cast<size_t>(reason)]; }
  void OnClosed(Closed /*reason*/) override { ++closed; }

  int64_t open = 0;
  int closed = 0;
  std::array<int, 4> refused = {};
};

class OpenConnectionsTest : public testing::Test {
 protected:
  bool HasEnded() const {
    pollfd ended = {.fd = connections_.ended(), .events = POLLIN, .revents = 0};
    return poll(&ended, 1, 0) == 1;
  }

  NoHandler handler_;
  CallsByPeer calls_;
  Counts events_;
  OpenConnections connections_{{.limits = {.max_connections = 1, .max_per_origin = 1},
                                .request_timeout = absl::ZeroDuration(),
                                .most_age = absl::InfiniteDuration()},
                               &handler_,
                               &calls_,
                               &events_};
};

TEST_F(OpenConnectionsTest, HearsOfAnEndOnceThoughTheHandlerStillHasTheSocket) {
  std::array<int, 2> pair;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const FileDescriptor socket(pair[0]);
  FileDescriptor client(pair[1]);
  ASSERT_TRUE(connections_.Add(socket.get(), std::nullopt, {"unix:1000"}));
  EXPECT_EQ(events_.open, 1);
  EXPECT_FALSE(HasEnded());
  client.Close();
  EXPECT_TRUE(HasEnded());
  connections_.ForgetEnded();
  EXPECT_FALSE(HasEnded());
  EXPECT_EQ(events_.open, 0);
  EXPECT_EQ(events_.closed, 1);
}

TEST_F(OpenConnectionsTest, LetsNoneGoOfWhichItKnowsNothing) {
  std::array<int, 2> pair;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const FileDescriptor socket(pair[0]);
  const FileDescriptor client(pair[1]);
  ASSERT_TRUE(connections_.Add(socket.get(), std::nullopt, {"unix:1000"}));
  EXPECT_FALSE(connections_.Add(socket.get(), std::nullopt, {"unix:1001"}));
  EXPECT_EQ(events_.refused[static_cast<size_t>(ConnectionEvents::Refused::kLimit)], 1);
  EXPECT_FALSE(connections_.Add(socket.get(), std::nullopt, {"unix:1000"}));
  EXPECT_EQ(events_.refused[static_cast<size_t>(ConnectionEvents::Refused::kAddressLimit)], 1);
  connections_.GiveUpOne();
  EXPECT_EQ(events_.open, 1);
}

}  // namespace
}  // namespace hearwire
