#include "server/listening/connection_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>

namespace hearwire {
namespace {

TEST(ConnectionLimitsTest, RaisesTheLimitToTheHardOne) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit lower = before;
  lower.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0);
  const DescriptorLimit limit = RaiseDescriptorLimit();
  EXPECT_EQ(limit.before, 64);
  rlimit now;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, before.rlim_max);
  EXPECT_GT(limit.now, 64);
  EXPECT_EQ(RaiseDescriptorLimit().before, limit.now);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(ConnectionLimitsTest, TakesTwoDescriptorsForEach) {
  EXPECT_EQ(ConnectionsFor(64), 16);
  EXPECT_EQ(ConnectionsFor(1024), 496);
  EXPECT_EQ(ConnectionsFor(0), 496);
  EXPECT_EQ(ConnectionsFor(1 << 20), kMostConnections);
  EXPECT_EQ(ConnectionsFor(8), 1);
}

TEST(ConnectionLimitsTest, LeavesAnAddressAQuarter) {
  EXPECT_EQ(ConnectionsPerAddressFor(8192), 2048);
  EXPECT_EQ(ConnectionsPerAddressFor(32), 16);
  EXPECT_EQ(ConnectionsPerAddressFor(10), 10);
}

TEST(ConnectionLimitsTest, SaysWhatIsTooMany) {
  EXPECT_TRUE(CheckMaxConnections(496, 1024).ok());
  EXPECT_TRUE(CheckMaxConnections(100000, 0).ok());
  const absl::Status status = CheckMaxConnections(497, 1024);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("--max-connections=497 needs 1026 file descriptors, and this process may have 1024"));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("at most 496"));
}

}  // namespace
}  // namespace hearwire
