// What a caller is told when no Hearwire server answers.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "client/client.h"
#include "client/error_details.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace hearwire::client {
namespace {

using ::testing::HasSubstr;

TEST(NoServerTest, SaysThatThereIsNoServer) {
  std::string address;
  {
    FakeServer server;
    address = server.address();
  }
  auto client = Client::Create({.server = address});
  ASSERT_TRUE(client.ok());
  for (const absl::Status& status :
       {(*client)->GetTags({}).status(), (*client)->CheckHealth().status(), (*client)->Reload().status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), HasSubstr("no server at " + address));
    EXPECT_TRUE(IsUnreachable(status));
  }
}

TEST(NoServerTest, SaysThatANameCannotBeResolved) {
  auto reply = (*Client::Create({.server = "no.such.host.invalid:8001", .max_attempts = 1}))->ListConfigs();
  EXPECT_EQ(reply.status().message(),
            "the server's address no.such.host.invalid:8001 has a name that cannot be resolved");
  EXPECT_TRUE(IsUnreachable(reply.status()));
}

// Answers one connection: `hello` at once, `reply` when the request for a list of configs has arrived.
class RawServer {
 public:
  RawServer(std::string hello, std::string reply)
      : listener_(socket(AF_INET, SOCK_STREAM, 0)), hello_(std::move(hello)), reply_(std::move(reply)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { Serve(); });
  }
  ~RawServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  const std::string& address() const { return address_; }

 private:
  void Serve() {
    for (int connection = 0; (connection = accept(listener_, nullptr, nullptr)) >= 0;) {
      send(connection, hello_.data(), hello_.size(), MSG_NOSIGNAL);
      std::string received;
      char buffer[4096];
      for (ssize_t count = 0; (count = recv(connection, buffer, sizeof(buffer), 0)) > 0;) {
        received.append(buffer, static_cast<size_t>(count));
        if (reply_.empty()) break;
        if (received.find("ListConfigs") == std::string::npos) continue;
        send(connection, reply_.data(), reply_.size(), MSG_NOSIGNAL);
        break;
      }
      while (!reply_.empty() && recv(connection, buffer, sizeof(buffer), 0) > 0) {
      }
      close(connection);
    }
  }

  const int listener_;
  const std::string hello_;
  const std::string reply_;
  std::string address_;
  std::thread thread_;
};

TEST(NoServerTest, SaysThatAnotherServerAnswers) {
  using std::string_literals::operator""s;
  RawServer http1("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "");
  // Empty settings; then, on stream 1, headers with :status 404 that end it.
  RawServer http2("\0\0\0\4\0\0\0\0\0"s, "\0\0\1\1\5\0\0\0\1\x8d"s);
  auto first = (*Client::Create({.server = http1.address(), .max_attempts = 1}))->ListConfigs();
  EXPECT_EQ(first.status().message(),
            "what answers at " + http1.address() + " is not a Hearwire server: it does not speak gRPC");
  EXPECT_TRUE(IsUnreachable(first.status()));
  auto second = (*Client::Create({.server = http2.address(), .max_attempts = 1}))->ListConfigs();
  EXPECT_EQ(second.status().message(),
            "what answers at " + http2.address() + " is not a Hearwire server: it speaks HTTP, not gRPC (status 404)");
}

}  // namespace
}  // namespace hearwire::client
