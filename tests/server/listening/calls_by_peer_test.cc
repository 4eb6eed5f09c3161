#include "server/listening/calls_by_peer.h"

#include <gtest/gtest.h>

#include <utility>

namespace hearwire {
namespace {

TEST(CallsByPeerTest, CountsACallWhileItLives) {
  CallsByPeer calls;
  const PeerAddress first = *ParsePeerAddress("ipv4:10.0.0.7:1");
  const PeerAddress second = *ParsePeerAddress("ipv4:10.0.0.7:2");
  {
    CallsByPeer::Counted one(&calls, "ipv4:10.0.0.7:1");
    const CallsByPeer::Counted other(&calls, "ipv4:10.0.0.7:1");
    EXPECT_EQ(calls.CountOf(first), 2);
    EXPECT_EQ(calls.CountOf(second), 0);
    const CallsByPeer::Counted moved = std::move(one);
    EXPECT_EQ(calls.CountOf(first), 2);
  }
  EXPECT_EQ(calls.CountOf(first), 0);
}

TEST(CallsByPeerTest, LetsThoseBeThatItCannotTellApart) {
  CallsByPeer calls;
  const CallsByPeer::Counted local(&calls, "unix:");
  const CallsByPeer::Counted none(nullptr, "ipv4:10.0.0.7:1");
  EXPECT_EQ(calls.CountOf(*ParsePeerAddress("ipv4:10.0.0.7:1")), 0);
}

}  // namespace
}  // namespace hearwire
