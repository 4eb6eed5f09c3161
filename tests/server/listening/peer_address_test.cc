#include "server/listening/peer_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace hearwire {
namespace {

PeerAddress Parse(std::string_view peer) {
  const std::optional<PeerAddress> address = ParsePeerAddress(peer);
  EXPECT_TRUE(address.has_value()) << peer;
  return address.value_or(PeerAddress());
}

TEST(PeerAddressTest, ReadsWhatGrpcCallsPeers) {
  EXPECT_EQ(ToText(Parse("ipv4:10.0.0.7:41234")), "10.0.0.7");
  EXPECT_EQ(Parse("ipv4:10.0.0.7:41234").port, 41234);
  for (const char* peer : {"ipv6:[2001:db8::1]:7", "ipv6:%5B2001:db8::1%5D:7", "ipv6:%5B2001:db8::1%25eth0%5D:7"}) {
    EXPECT_EQ(ToText(Parse(peer)), "2001:db8::1") << peer;
    EXPECT_EQ(Parse(peer).port, 7) << peer;
  }
  EXPECT_EQ(Parse("ipv6:[::ffff:10.0.0.7]:1"), Parse("ipv4:10.0.0.7:1"));
  EXPECT_NE(Parse("ipv4:10.0.0.7:1"), Parse("ipv4:10.0.0.7:2"));
}

TEST(PeerAddressTest, KnowsWhatIsNoAddress) {
  for (const char* peer :
       {"", "unix:", "unix:/run/hearwire.sock", "ipv4:10.0.0.7", "ipv4:10.0.0:1", "ipv4:10.0.0.7:65536",
        "ipv4:10.0.0.7:-1", "ipv6:2001:db8::1:7", "ipv6:[2001:db8::1]", "ipv6:[name]:1", "ipv4:"}) {
    EXPECT_EQ(ParsePeerAddress(peer), std::nullopt) << peer;
  }
}

TEST(PeerAddressTest, ReadsWhatTheSystemTells) {
  sockaddr_storage storage = {};
  auto* ipv4 = reinterpret_cast<sockaddr_in*>(&storage);
  ipv4->sin_family = AF_INET;
  ipv4->sin_port = htons(41234);
  inet_pton(AF_INET, "10.0.0.7", &ipv4->sin_addr);
  EXPECT_EQ(ToPeerAddress(storage), Parse("ipv4:10.0.0.7:41234"));
  storage = {};
  auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&storage);
  ipv6->sin6_family = AF_INET6;
  ipv6->sin6_port = htons(41234);
  inet_pton(AF_INET6, "::ffff:10.0.0.7", &ipv6->sin6_addr);
  EXPECT_EQ(ToPeerAddress(storage), Parse("ipv4:10.0.0.7:41234"));
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(ToPeerAddress(storage), std::nullopt);
}

TEST(PeerAddressTest, CountsANetworkOfIpv6AsOneOrigin) {
  EXPECT_EQ(OriginOf(Parse("ipv4:10.0.0.7:1")), "10.0.0.7");
  EXPECT_EQ(OriginOf(Parse("ipv6:[2001:db8:1:2:3:4:5:6]:1")), "2001:db8:1:2::/64");
  EXPECT_EQ(OriginOf(Parse("ipv6:[2001:db8:1:2::9]:1")), "2001:db8:1:2::/64");
  EXPECT_NE(OriginOf(Parse("ipv6:[2001:db8:1:3::9]:1")), "2001:db8:1:2::/64");
}

}  // namespace
}  // namespace hearwire
