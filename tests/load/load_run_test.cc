// Runs against a fake server behind a real socket.

#include "load/load_run.h"

#include <fstream>
#include <stop_token>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace hearwire::load {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class LoadRunTest : public testing::Test {
 protected:
  LoadRunTest() {
    options_.warm_up = absl::ZeroDuration();
    options_.duration = absl::Milliseconds(300);
    options_.deadline = absl::Seconds(20);
  }

  // However slow the machine is.
  void EndAfter(int64_t calls) {
    options_.max_calls = calls;
    options_.duration = absl::Minutes(1);
  }

  Measurement Run(const WorkloadOptions& workload_options = {.lengths = *ClipLengths::Parse("0.01")}) {
    const auto workload = Workload::Create(workload_options, {});
    EXPECT_TRUE(workload.ok()) << workload.status();
    return RunLoad(options_, *workload, Connect(connection_, 2).value(), stop_.get_token(), nullptr);
  }

  client::FakeServer server_;
  client::ClientOptions connection_{.server = server_.address(), .max_attempts = 1};
  LoadOptions options_;
  std::stop_source stop_;
};

TEST_F(LoadRunTest, AnOpenLoopMakesTheCallsThatAreDue) {
  options_.rate = 100;
  options_.arrivals = ArrivalKind::kConstant;
  const Measurement measurement = Run();
  EXPECT_EQ(measurement.totals.sent, 30);  // Due every 10 ms.
  EXPECT_EQ(measurement.succeeded, 30);
  EXPECT_EQ(measurement.latency.count(), 30);
  EXPECT_EQ(server_.service().attempts(), 30);
  EXPECT_EQ(measurement.totals.failed_locally, 0);
  EXPECT_GT(measurement.bytes_sent, 30 * 640);
  EXPECT_GT(measurement.bytes_received, 0);
}

TEST_F(LoadRunTest, AClosedLoopKeepsAsManyCallsInFlightAsItHasCallers) {
  options_.concurrency = 3;
  const Measurement measurement = Run();
  EXPECT_GT(measurement.succeeded, 3);
  EXPECT_EQ(measurement.totals.sent, server_.service().attempts());
  EXPECT_LE(server_.service().most_at_once(), 3);
}

TEST_F(LoadRunTest, EndsAtTheMostCallsAllowed) {
  for (const bool open : {false, true}) {
    if (open) options_.rate = 1000;
    EndAfter(10);
    const Measurement measurement = Run();
    EXPECT_EQ(measurement.totals.sent, 10);
    EXPECT_TRUE(measurement.reached_max_calls);
    EXPECT_LT(measurement.measured, absl::Seconds(50));
  }
}

TEST_F(LoadRunTest, CountsARefusedCallAsRefusedAndTriesItOnce) {
  server_.service().RefuseNext(4, grpc::StatusCode::RESOURCE_EXHAUSTED, "1");
  options_.concurrency = 1;
  EndAfter(10);
  const Measurement measurement = Run();
  EXPECT_THAT(measurement.failed, ElementsAre(Pair(absl::StatusCode::kResourceExhausted, 4)));
  EXPECT_EQ(measurement.succeeded, 6);
  EXPECT_EQ(measurement.latency.count(), 10);
  EXPECT_EQ(server_.service().attempts(), 10);
}

TEST_F(LoadRunTest, CallsThatExpireCountWithTheirDeadline) {
  options_.concurrency = 2;
  EndAfter(2);
  options_.deadline = absl::Milliseconds(200);
  const std::string file = testing::TempDir() + "/hang.wav";
  std::ofstream(file) << "hang";
  const Measurement measurement = Run({.files = {file}});
  EXPECT_THAT(measurement.failed, ElementsAre(Pair(absl::StatusCode::kDeadlineExceeded, 2)));
  EXPECT_GE(measurement.latency.Quantile(0), absl::Milliseconds(199));
  EXPECT_EQ(measurement.totals.failed_locally, 2);
}

TEST_F(LoadRunTest, WaitingForASlotCountsAndMayExpire) {
  const std::string file = testing::TempDir() + "/hang.wav";
  std::ofstream(file) << "hang";
  options_.rate = 20;
  options_.arrivals = ArrivalKind::kConstant;
  options_.concurrency = 1;
  options_.deadline = absl::Milliseconds(120);
  const Measurement measurement = Run({.files = {file}});
  // Six calls are due, at 25 ms, 75 ms and so on, each for 120 ms.
  EXPECT_EQ(measurement.calls, 6);
  EXPECT_THAT(measurement.failed, ElementsAre(Pair(absl::StatusCode::kDeadlineExceeded, 6)));
  EXPECT_EQ(measurement.totals.sent + measurement.expired_unsent, 6);
  EXPECT_GE(measurement.latency.Quantile(0), absl::Milliseconds(119));
}

TEST_F(LoadRunTest, CallsThatExpireUnsentAreOfTheMostAllowed) {
  const std::string file = testing::TempDir() + "/hang.wav";
  std::ofstream(file) << "hang";
  // Due at once, nearly: the last of them expire while the first has the slot.
  options_.rate = 100'000;
  options_.arrivals = ArrivalKind::kConstant;
  options_.concurrency = 1;
  options_.deadline = absl::Milliseconds(5);
  options_.max_calls = 10;
  options_.duration = absl::Seconds(2);
  const Measurement measurement = Run({.files = {file}});
  EXPECT_EQ(measurement.calls, 10);
  EXPECT_GT(measurement.expired_unsent, 0);
  EXPECT_EQ(measurement.totals.sent + measurement.expired_unsent, 10);
  EXPECT_TRUE(measurement.reached_max_calls);
}

TEST_F(LoadRunTest, CancelsTheCallsThatAreChosen) {
  const std::string file = testing::TempDir() + "/hang.wav";
  std::ofstream(file) << "hang";
  options_.concurrency = 4;
  EndAfter(8);
  options_.cancel_share = 1;
  options_.cancel_after = absl::Milliseconds(20);
  const Measurement measurement = Run({.files = {file}});
  EXPECT_EQ(measurement.chosen_to_cancel, 8);
  EXPECT_EQ(measurement.calls, 8);
  EXPECT_EQ(measurement.succeeded, 0);
  EXPECT_TRUE(measurement.failed.empty());
  EXPECT_EQ(measurement.latency.count(), 0);
  EXPECT_LT(measurement.elapsed, absl::Seconds(15));
}

TEST_F(LoadRunTest, AStopEndsTheRunAndItsCalls) {
  const std::string file = testing::TempDir() + "/hang.wav";
  std::ofstream(file) << "hang";
  options_.concurrency = 4;
  options_.duration = absl::Minutes(5);
  options_.deadline = absl::Minutes(5);
  std::jthread stopper([this] {
    while (server_.service().attempts() < 4) std::this_thread::yield();
    stop_.request_stop();
  });
  const Measurement measurement = Run({.files = {file}});
  EXPECT_TRUE(measurement.interrupted);
  EXPECT_EQ(measurement.totals.sent, 4);
  EXPECT_LT(measurement.measured, absl::Minutes(1));
}

TEST_F(LoadRunTest, MakesCallsAgainOnlyWhereThatIsAsked) {
  EndAfter(5);
  server_.service().RefuseNext(2, grpc::StatusCode::UNAVAILABLE, "10");
  EXPECT_THAT(Run().failed, ElementsAre(Pair(absl::StatusCode::kUnavailable, 2)));
  EXPECT_EQ(server_.service().attempts(), 5);
  connection_.max_attempts = 4;
  server_.service().RefuseNext(2, grpc::StatusCode::UNAVAILABLE, "10");
  EXPECT_EQ(Run().succeeded, 5);
  EXPECT_EQ(server_.service().attempts(), 5 + 7);
}

TEST_F(LoadRunTest, AServerThatHasGoneFailsCallsHere) {
  server_.Shutdown();
  options_.rate = 50;
  const Measurement measurement = Run();
  EXPECT_GT(measurement.totals.sent, 0);
  EXPECT_EQ(measurement.totals.failed_locally, measurement.totals.sent);
  EXPECT_THAT(measurement.failed, ElementsAre(Pair(absl::StatusCode::kUnavailable, measurement.calls)));
}

}  // namespace
}  // namespace hearwire::load
