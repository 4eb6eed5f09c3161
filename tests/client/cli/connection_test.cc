#include "client/cli/connection.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace hearwire::cli {
namespace {

absl::Status ConnectTo(const std::string& server) {
  ConnectionOptions options;
  options.server = server;
  options.deadline = "1s";
  return Connect(options).status();
}

TEST(ConnectTest, TakesAHostWithAPortAndGrpcsOwnAddresses) {
  for (const std::string server :
       {"127.0.0.1:8001", "localhost:1", "gpu-7.example.org:65535", "[::1]:8001", "unix:/run/hearwire.sock",
        "unix:///run/hearwire.sock", "unix-abstract:hearwire", "dns:example.org", "dns:///example.org:8001",
        "ipv4:127.0.0.1:8001", "ipv6:[::1]:8001"}) {
    EXPECT_TRUE(ConnectTo(server).ok()) << ConnectTo(server);
  }
}

TEST(ConnectTest, WantsAHostAndAPort) {
  for (const auto& [server, advice] : std::initializer_list<std::pair<std::string, std::string>>{
           {"127.0.0.1", "127.0.0.1:8001"},
           {"38541", "127.0.0.1:38541"},
           {"gpu-7", "gpu-7:8001"},
           {":8001", "127.0.0.1:8001"},
           {"localhost:", "127.0.0.1:8001"},
           {"localhost:http", "127.0.0.1:8001"},
           {"localhost:0", "127.0.0.1:8001"},
           {"localhost:65536", "127.0.0.1:8001"},
           {"::1", "[::1]:8001"},
           {"[::1]", "[::1]:8001"},
           {"::1:8001", "[::1]:8001"},
           {"/run/hearwire.sock", "127.0.0.1:8001 or unix:/path/to/socket"}}) {
    const absl::Status status = ConnectTo(server);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << server;
    EXPECT_EQ(status.message(), "the server's address " + server + ": HOST:PORT would be right, such as " + advice);
  }
}

}  // namespace
}  // namespace hearwire::cli
