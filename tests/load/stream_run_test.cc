#include "load/stream_run.h"

#include <chrono>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/stream_server.h"

namespace hearwire::load {
namespace {

using client::ServeStream;
using client::StreamPeer;
using client::StreamPlan;
using client::StreamServer;

constexpr double kWindowMs = 160;

StreamLoad Load() {
  StreamLoad load;
  load.streams = 2;
  load.sample_rate_hz = 1000;
  load.warm_up = absl::Milliseconds(200);
  load.duration = absl::Seconds(1);
  return load;
}

StreamMeasurement RunOn(const StreamServer& server, const StreamLoad& load, const std::stop_token& stop = {}) {
  auto measured = RunStreams(load, {.server = server.address()}, 2, kWindowMs, stop, {});
  EXPECT_TRUE(measured.ok()) << measured.status();
  return measured.ok() ? *std::move(measured) : StreamMeasurement();
}

TEST(StreamRunTest, CountsTheRowsOfTheMeasuredTime) {
  StreamServer server({StreamPlan()});
  const StreamMeasurement measured = RunOn(server, Load());
  EXPECT_EQ(measured.rows.calls, 2);
  EXPECT_EQ(measured.rows.succeeded, 2);
  EXPECT_EQ(measured.rows.measured, absl::Seconds(1));
  // Two streams, twenty rows a second each; the last ones may arrive just after the measured time.
  EXPECT_NEAR(static_cast<double>(measured.rows.latency.count()), 40, 6);
  EXPECT_NEAR(static_cast<double>(measured.row_count), 40, 8);
  EXPECT_GE(measured.rows.latency.Quantile(0.01), absl::ZeroDuration());
  EXPECT_LT(measured.rows.latency.Quantile(0.5), absl::Milliseconds(500));
}

TEST(StreamRunTest, LatencyCountsFromWhenARowCanBeKnown) {
  // Answers each piece of 400 ms a quarter of a second after it came.
  StreamServer server([](int, grpc::ServerContext*, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    peer->Write(client::StreamStartedMessage());
    double sent_ms = 0;
    int64_t rows = 0;
    const auto answer = [&](double until_ms) {
      std::this_thread::sleep_for(std::chrono::milliseconds(250));
      for (; rows * 50.0 + kWindowMs / 2 <= until_ms; ++rows) {
        v1::StreamEmbeddingsResponse response;
        client::AddStreamRow(rows * 50.0, {1}, response.mutable_timestamps());
        peer->Write(response);
      }
    };
    while (peer->Read(&request)) answer(sent_ms += static_cast<double>(request.samples().size()) / 2);
    v1::StreamEmbeddingsResponse last;
    last.mutable_summary()->set_timestamp_rows(static_cast<uint64_t>(rows));
    peer->Write(last);
    return grpc::Status::OK;
  });
  StreamLoad load = Load();
  load.piece = absl::Milliseconds(400);
  load.duration = absl::Seconds(2);
  const StreamMeasurement measured = RunOn(server, load);
  EXPECT_EQ(measured.rows.succeeded, 2);
  EXPECT_GE(measured.rows.latency.Quantile(0), absl::Milliseconds(250));
  EXPECT_LT(measured.rows.latency.Quantile(0.5), absl::Milliseconds(450));
}

TEST(StreamRunTest, SendsAsFastAsPossible) {
  StreamServer server({StreamPlan()});
  StreamLoad load = Load();
  load.real_time = false;
  const StreamMeasurement measured = RunOn(server, load);
  EXPECT_EQ(measured.rows.succeeded, 2);
  EXPECT_GT(measured.rows.completed_audio_seconds, 4);
}

TEST(StreamRunTest, CountsTheStreamsThatFail) {
  StreamServer server([](int call, grpc::ServerContext* context, StreamPeer* peer) {
    return ServeStream({.end_after_rows = call == 0 ? 5 : -1}, context, peer);
  });
  const StreamMeasurement measured = RunOn(server, Load());
  EXPECT_EQ(measured.rows.calls, 2);
  EXPECT_EQ(measured.rows.succeeded, 1);
  EXPECT_EQ(measured.rows.failed.at(absl::StatusCode::kUnavailable), 1);
  EXPECT_EQ(measured.rows.messages.at(absl::StatusCode::kUnavailable), "gone");
}

TEST(StreamRunTest, EndsEarlyWhenAskedTo) {
  StreamServer server({StreamPlan()});
  StreamLoad load = Load();
  load.duration = absl::Minutes(5);
  std::stop_source stop;
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    stop.request_stop();
  });
  const StreamMeasurement measured = RunOn(server, load, stop.get_token());
  stopper.join();
  EXPECT_TRUE(measured.rows.interrupted);
  EXPECT_LT(measured.rows.elapsed, absl::Seconds(20));
  EXPECT_LT(measured.rows.measured, absl::Seconds(20));
}

}  // namespace
}  // namespace hearwire::load
