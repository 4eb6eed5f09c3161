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

TEST(CallsByPeerTest, SumsUpWhileAConnectionIsKept) {
  CallsByPeer calls;
  const PeerAddress peer = *ParsePeerAddress("ipv4:10.0.0.7:1");
  calls.Keep(peer);
  { const CallsByPeer::Counted ended(&calls, "ipv4:10.0.0.7:1"); }
  const CallsByPeer::Counted call(&calls, "ipv4:10.0.0.7:1");
  call.TakeMessage(1000);
  call.TakeMessage(24);
  EXPECT_EQ(calls.Find(peer).calls, 1);
  EXPECT_EQ(calls.Find(peer).calls_so_far, 2);
  EXPECT_EQ(calls.Find(peer).message_bytes, 1024);
  calls.Forget(peer);
  EXPECT_EQ(calls.CountOf(peer), 1);
}

TEST(CallsByPeerTest, ForgetsAConnectionThatIsNotKept) {
  CallsByPeer calls;
  const PeerAddress peer = *ParsePeerAddress("ipv4:10.0.0.7:1");
  calls.Keep(peer);
  {
    const CallsByPeer::Counted call(&calls, "ipv4:10.0.0.7:1");
    call.TakeMessage(1000);
    calls.Forget(peer);
  }
  EXPECT_EQ(calls.Find(peer).calls_so_far, 0);
  EXPECT_EQ(calls.Find(peer).message_bytes, 0);
}

TEST(CallsByPeerTest, LetsThoseBeThatItCannotTellApart) {
  CallsByPeer calls;
  const CallsByPeer::Counted local(&calls, "unix:");
  const CallsByPeer::Counted none(nullptr, "ipv4:10.0.0.7:1");
  EXPECT_EQ(calls.CountOf(*ParsePeerAddress("ipv4:10.0.0.7:1")), 0);
}

}  // namespace
}  // namespace hearwire
