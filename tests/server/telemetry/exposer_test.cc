#include "server/telemetry/exposer.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <list>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

// A connection to a port of this machine.
class Connection {
 public:
  explicit Connection(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(socket_); }

  // The whole answer; the server closes after it.
  std::string Get(const std::string& path) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    EXPECT_EQ(send(socket_, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    std::string answer;
    char piece[4096];
    for (ssize_t count; (count = recv(socket_, piece, sizeof(piece), 0)) > 0;) answer.append(piece, count);
    return answer;
  }

 private:
  const int socket_;
};

TEST(ExposerTest, AnswersAScrapeBehindManyIdleConnections) {
  const auto exposer = Exposer::Create("127.0.0.1", 0);
  ASSERT_TRUE(exposer.ok()) << exposer.status();
  std::list<Connection> idle;
  for (int i = 0; i < 300; ++i) idle.emplace_back((*exposer)->port());
  const SteadyTime asked = SteadyTime::Now();
  EXPECT_THAT(Connection((*exposer)->port()).Get("/metrics"), HasSubstr("process_start_time_seconds"));
  EXPECT_LT(SteadyTime::Now() - asked, absl::Seconds(8)) << "Prometheus waits ten seconds";
}

}  // namespace
}  // namespace hearwire
