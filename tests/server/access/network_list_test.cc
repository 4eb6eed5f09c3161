#include "server/access/network_list.h"

#include <gtest/gtest.h>

#include <string>

namespace hearwire {
namespace {

NetworkList List(std::initializer_list<const char*> texts) {
  NetworkList list;
  for (const char* text : texts) EXPECT_TRUE(list.Add(text).ok()) << text;
  return list;
}

TEST(NetworkListTest, HoldsAddressesAndRanges) {
  const NetworkList list = List({"10.0.0.7", "192.168.0.0/16", "172.16.0.0/12", "fd00::/8", "::1"});
  for (const char* in :
       {"10.0.0.7", "192.168.255.1", "172.31.0.1", "fd12::1", "::1", "::ffff:10.0.0.7", "fd00::1%eth0"}) {
    EXPECT_TRUE(list.Contains(in)) << in;
  }
  for (const char* out : {"10.0.0.8", "192.169.0.1", "172.32.0.1", "fe80::1", "::2", "unix", "", "10.0.0", "name"}) {
    EXPECT_FALSE(list.Contains(out)) << out;
  }
}

TEST(NetworkListTest, HoldsAllWhereNoBitCounts) {
  EXPECT_TRUE(List({"0.0.0.0/0"}).Contains("8.8.8.8"));
  EXPECT_FALSE(List({"0.0.0.0/0"}).Contains("2001::1"));
  EXPECT_TRUE(List({"::/0"}).Contains("8.8.8.8"));
}

TEST(NetworkListTest, HoldsSocketsOfTheMachineWhereItSaysSo) {
  EXPECT_TRUE(List({"unix"}).Contains("unix"));
  EXPECT_TRUE(List({"unix"}).Contains("unix:1000"));
  EXPECT_FALSE(List({"unix"}).Contains("127.0.0.1"));
  EXPECT_TRUE(List({"unix:33"}).Contains("unix:33"));
  for (const char* out : {"unix", "unix:3", "unix:333"}) EXPECT_FALSE(List({"unix:33"}).Contains(out)) << out;
  EXPECT_FALSE(List({"unix:33"}).empty());
  EXPECT_FALSE(List({"unix"}).empty());
  EXPECT_TRUE(List({}).empty());
}

TEST(NetworkListTest, RefusesWhatIsNoRange) {
  for (const char* text : {"", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "front", "10.0.0.0/8/8",
                           "unix:", "unix:root", "unix:-1"}) {
    EXPECT_FALSE(NetworkList().Add(text).ok()) << text;
  }
}

}  // namespace
}  // namespace hearwire
