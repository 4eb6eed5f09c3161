#include "load/objectives.h"

#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

const LoadOptions kOpen = {.rate = 10};

Measurement Of(int fast, int slow, int refused_at_once) {
  Measurement measurement;
  measurement.calls = fast + slow + refused_at_once;
  measurement.measured = absl::Seconds(10);
  measurement.completed = measurement.succeeded = fast + slow;
  for (Histogram* histogram : {&measurement.latency, &measurement.succeeded_latency}) {
    if (fast > 0) histogram->Record(absl::Milliseconds(10), fast);
    if (slow > 0) histogram->Record(absl::Milliseconds(500), slow);
  }
  if (refused_at_once > 0) {
    measurement.latency.Record(absl::Milliseconds(1), refused_at_once);
    measurement.failed[absl::StatusCode::kResourceExhausted] = refused_at_once;
  }
  return measurement;
}

bool Met(const ObjectiveBounds& bounds, const Measurement& measurement) {
  const auto objectives = Judge(bounds, measurement, kOpen, Summarise(measurement, kOpen, nullptr, nullptr));
  EXPECT_EQ(objectives.size(), 1u);
  return objectives.at(0).met;
}

TEST(ObjectivesTest, ThatManyCallsMustBeWithinTheBound) {
  const ObjectiveBounds bounds = {.latency = {{99, absl::Milliseconds(100)}}};
  EXPECT_TRUE(Met(bounds, Of(990, 10, 0)));
  EXPECT_FALSE(Met(bounds, Of(989, 11, 0)));
  EXPECT_FALSE(Met(bounds, Of(0, 0, 0)));
}

TEST(ObjectivesTest, ACallThatFailsAtOnceDoesNotHelp) {
  EXPECT_FALSE(Met({.latency = {{99, absl::Milliseconds(100)}}}, Of(900, 0, 100)));
}

TEST(ObjectivesTest, BoundsErrorsAndRates) {
  EXPECT_TRUE(Met({.errors = 0.1}, Of(900, 0, 100)));
  EXPECT_FALSE(Met({.errors = 0.09}, Of(900, 0, 100)));
  EXPECT_TRUE(Met({.calls_per_second = 90}, Of(900, 0, 100)));
  EXPECT_FALSE(Met({.calls_per_second = 91}, Of(900, 0, 100)));
  EXPECT_FALSE(Met({.audio_seconds_per_second = 1}, Of(900, 0, 100)));
}

}  // namespace
}  // namespace hearwire::load
