#include "server/rpc/caller_name.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

TEST(CallerNameTest, IsTheAddressWithoutThePort) {
  EXPECT_EQ(CallerName("ipv4:10.0.0.7:41234"), "10.0.0.7");
  EXPECT_EQ(CallerName("ipv6:[2001:db8::1]:41234"), "2001:db8::1");
  EXPECT_EQ(CallerName("ipv6:%5B2001:db8::1%5D:41234"), "2001:db8::1");
  EXPECT_EQ(CallerName("ipv6:%5Bfe80::1%25eth0%5D:41234"), "fe80::1%25eth0");
}

TEST(CallerNameTest, IsOneForAnAddressInBothNotations) {
  EXPECT_EQ(CallerName("ipv6:%5B::ffff:10.0.0.7%5D:41234"), CallerName("ipv4:10.0.0.7:5"));
}

TEST(CallerNameTest, IsOneForAllLocalSockets) {
  EXPECT_EQ(CallerName("unix:"), "unix");
  EXPECT_EQ(CallerName("unix:/run/hearwire.sock"), "unix");
}

TEST(CallerNameTest, IsThePeerWhereItsFormIsUnknown) {
  EXPECT_EQ(CallerName("inproc:1"), "inproc:1");
  EXPECT_EQ(CallerName("ipv6:::1"), "ipv6:::1");
  EXPECT_EQ(CallerName(""), "");
}

}  // namespace
}  // namespace hearwire
