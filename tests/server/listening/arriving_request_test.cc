#include "server/listening/arriving_request.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(60);

SteadyTime At(int seconds) { return SteadyTime() + absl::Seconds(seconds); }

TEST(ArrivingRequestTest, IsStuckWhenHardlyAByteComesForTheWholeTime) {
  ArrivingRequest request;
  EXPECT_FALSE(request.IsStuck({.received_bytes = 300, .begun = 1}, kTimeout, At(0)));
  // Answers to pings are no progress.
  EXPECT_FALSE(request.IsStuck({.received_bytes = 317, .begun = 1}, kTimeout, At(30)));
  EXPECT_FALSE(request.IsStuck({.received_bytes = 334, .begun = 5}, kTimeout, At(59)));
  EXPECT_TRUE(request.IsStuck({.received_bytes = 351, .begun = 5}, kTimeout, At(60)));
}

TEST(ArrivingRequestTest, IsNotStuckWhileItArrivesHoweverSlowly) {
  ArrivingRequest request;
  int64_t bytes = 0;
  for (int minute = 0; minute < 60; ++minute) {
    EXPECT_FALSE(request.IsStuck({.received_bytes = bytes, .begun = 1}, kTimeout, At(50 * minute)));
    bytes += ArrivingRequest::kLeastBytes;
  }
  EXPECT_TRUE(request.IsStuck({.received_bytes = bytes - 1, .begun = 1}, kTimeout, At(50 * 59 + 60)));
}

TEST(ArrivingRequestTest, IsNotStuckWithoutCallsOrWithOnesThatServicesKnow) {
  ArrivingRequest request;
  EXPECT_FALSE(request.IsStuck({.begun = 0}, kTimeout, At(0)));
  EXPECT_FALSE(request.IsStuck({.begun = 0}, kTimeout, At(1000)));
  EXPECT_FALSE(request.IsStuck({.begun = 3, .taken = 1}, kTimeout, At(1001)));
  EXPECT_FALSE(request.IsStuck({.begun = 3, .taken = 1}, kTimeout, At(2000)));
}

TEST(ArrivingRequestTest, BeginsAnewWhenCallsHaveEnded) {
  ArrivingRequest request;
  EXPECT_FALSE(request.IsStuck({.begun = 1}, kTimeout, At(0)));
  EXPECT_FALSE(request.IsStuck({.begun = 1, .taken = 1}, kTimeout, At(40)));
  EXPECT_FALSE(request.IsStuck({.begun = 1}, kTimeout, At(50)));
  EXPECT_FALSE(request.IsStuck({.begun = 1}, kTimeout, At(109)));
  EXPECT_TRUE(request.IsStuck({.begun = 1}, kTimeout, At(110)));
}

}  // namespace
}  // namespace hearwire
