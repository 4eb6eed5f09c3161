#include "client/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/channel.h"

namespace hearwire::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Address Parsed(const std::string& server) { return ParseAddress(server).value(); }
std::string Fault(const std::string& server) { return std::string(ParseAddress(server).status().message()); }

TEST(AddressTest, LeavesToGrpcWhatItTakesByItself) {
  for (const char* server :
       {"127.0.0.1:8001", "host:1", "unix:/path", "unix:///path", "ipv6:[::1]:1", "ipv4:127.0.0.1:1,127.0.0.1:2"}) {
    EXPECT_EQ(Parsed(server).target, server);
    EXPECT_FALSE(Parsed(server).has_tls) << server;
    EXPECT_FALSE(Parsed(server).several) << server;
  }
  EXPECT_TRUE(Parsed("dns:///host:1").several) << "a name may have several addresses";
}

TEST(AddressTest, KnowsTlsByItsUrl) {
  EXPECT_TRUE(Parsed("https://host:1").has_tls);
  EXPECT_EQ(Parsed("https://host:1").target, "host:1");
  EXPECT_EQ(Parsed("https://host:1/").target, "host:1");
  EXPECT_EQ(Parsed("https://host").target, "host:443");
  EXPECT_THAT(Fault("http://host:1"), HasSubstr("is a URL: HOST:PORT would be right, or https://HOST:PORT"));
  EXPECT_THAT(Fault("https://host:1/path"), HasSubstr("is a URL"));
}

TEST(AddressTest, TakesSeveralServers) {
  const Address list = Parsed("127.0.0.1:1, localhost:2");
  EXPECT_EQ(list.target, "ipv4:127.0.0.1:1,127.0.0.1:2");
  EXPECT_TRUE(list.several);
  EXPECT_EQ(list.authority, "127.0.0.1:1");
  EXPECT_EQ(Parsed("[::1]:1,[::1]:2").target, "ipv6:[::1]:1,[::1]:2");
  EXPECT_TRUE(Parsed("https://127.0.0.1:1,https://127.0.0.1:2").has_tls);
}

TEST(AddressTest, SaysWhatIsWrongWithAList) {
  EXPECT_THAT(Fault(""), HasSubstr("is empty"));
  EXPECT_THAT(Fault("127.0.0.1:1,,127.0.0.1:2"), HasSubstr("has an empty part"));
  EXPECT_THAT(Fault("127.0.0.1:1,b"), HasSubstr("\"b\" is not"));
  EXPECT_THAT(Fault("127.0.0.1:1,[::1]:1"), HasSubstr("of IPv4 and of IPv6"));
  EXPECT_THAT(Fault("https://127.0.0.1:1,127.0.0.1:2"), HasSubstr("one kind"));
  EXPECT_THAT(Fault("127.0.0.1:1,no-such-host.invalid:1"), HasSubstr("cannot be resolved"));
}

TEST(AddressTest, AsksSeveralServersInTurnWhileTheyServe) {
  EXPECT_THAT(ServiceConfig(4, true),
              AllOf(HasSubstr("round_robin"), HasSubstr("healthCheckConfig"), HasSubstr("retryPolicy")));
  EXPECT_THAT(ServiceConfig(4, false), AllOf(Not(HasSubstr("round_robin")), HasSubstr("retryPolicy")));
  EXPECT_THAT(ServiceConfig(1, true), AllOf(HasSubstr("round_robin"), Not(HasSubstr("retryPolicy"))));
  EXPECT_EQ(ServiceConfig(1, false), "{}");
}

std::string ConnectionFault(ClientOptions options) {
  options.server = "127.0.0.1:1";
  return std::string(Client::Create(options).status().message());
}

TEST(ConnectionTest, RefusesWhatNoCallCouldCarry) {
  EXPECT_EQ(ConnectionFault({.token = "abc-123._~+/="}), "");
  for (const char* token : {"two words", "line\n", "\xc3\xa4"}) {
    EXPECT_THAT(ConnectionFault({.token = token}), AllOf(HasSubstr("the token has blanks"), Not(HasSubstr(token))));
  }
  EXPECT_EQ(ConnectionFault({.metadata = {{"x-team", "search"}, {"x-raw-bin", "\x01\xff"}}}), "");
  EXPECT_THAT(ConnectionFault({.metadata = {{"X-Team", "a"}}}), HasSubstr("lower-case"));
  EXPECT_THAT(ConnectionFault({.metadata = {{"grpc-timeout", "1S"}}}), HasSubstr("not grpc-"));
  EXPECT_THAT(ConnectionFault({.metadata = {{"x-team", "a\nb"}}}), HasSubstr("printable ASCII"));
  EXPECT_THAT(ConnectionFault({.tls = TlsOptions{.certificate = "PEM"}}), HasSubstr("both or neither"));
}

}  // namespace
}  // namespace hearwire::client
