// Streams that go on where a server has ended them, and servers that keep a stream waiting.

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "client/client.h"
#include "client/error_details.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/stream_answers.h"
#include "tests/client/stream_server.h"

namespace hearwire::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

StreamOptions Resumed() {
  StreamOptions options = RowOptions();
  options.resume = true;
  return options;
}

void ExpectSame(const Answers& found, const Answers& expected) {
  EXPECT_TRUE(found.status.ok()) << found.status;
  EXPECT_EQ(found.starts, 1);
  EXPECT_EQ(found.times_ms, expected.times_ms);
  EXPECT_EQ(found.values, expected.values);
  EXPECT_EQ(found.scene_times_ms, expected.scene_times_ms);
  EXPECT_EQ(found.scene_values, expected.scene_values);
  EXPECT_EQ(found.label_times_ms, expected.label_times_ms);
  ASSERT_TRUE(found.summary.has_value());
  EXPECT_EQ(found.summary->audio_ms, expected.summary->audio_ms);
  EXPECT_EQ(found.summary->timestamp_rows, expected.summary->timestamp_rows);
  EXPECT_EQ(found.summary->scene_windows, expected.summary->scene_windows);
}

class ResumedStreamTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Facts, ResumedStreamTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "WithFacts" : "WithoutFacts"; });

TEST_P(ResumedStreamTest, HasTheRowsOfAnUninterruptedOne) {
  const std::vector<int16_t> sound = Sound(20);
  StreamServer calm({StreamPlan()});
  const Answers expected = RunStream(calm.address(), RowOptions(), sound);
  ASSERT_EQ(expected.times_ms.size(), 401u);
  for (const int rows : {0, 1, 40, 41, 100, 399, 400}) {
    StreamServer server(
        {{.end_after_rows = rows, .facts = GetParam()}, {.end_after_rows = 15, .facts = GetParam()}, {}});
    const Answers answers = RunStream(server.address(), Resumed(), sound);
    ExpectSame(answers, expected);
    EXPECT_EQ(answers.summary->resumes, 2) << rows;
    EXPECT_EQ(server.calls(), 3);
  }
}

TEST_P(ResumedStreamTest, HasItsSceneWindowsAndLabelsToo) {
  const std::vector<int16_t> sound = Sound(40);
  StreamOptions options = Resumed();
  options.scenes = true;
  options.heads = {"every50", "whole"};
  StreamServer calm({StreamPlan()});
  const Answers expected = RunStream(calm.address(), options, sound);
  ASSERT_EQ(expected.scene_times_ms.size(), 17u);
  ASSERT_FALSE(expected.summary->scene.values.empty());
  for (const int scenes : {0, 1, 8, 16}) {
    StreamServer server({{.end_after_scenes = scenes, .facts = GetParam()}, {}});
    const Answers answers = RunStream(server.address(), options, sound);
    ExpectSame(answers, expected);
    // A server that has not heard the beginning cannot tell of the whole.
    EXPECT_EQ(answers.summary->scene.values.empty(), scenes > 1);
  }
}

TEST_P(ResumedStreamTest, GoesOnAfterTheHalfClose) {
  const std::vector<int16_t> sound = Sound(5);
  StreamServer calm({StreamPlan()});
  // The last rows are known after the half-close only.
  StreamServer server({{.end_after_rows = 100, .facts = GetParam()}, {}});
  ExpectSame(RunStream(server.address(), Resumed(), sound), RunStream(calm.address(), RowOptions(), sound));
}

TEST_P(ResumedStreamTest, StartsWhereTheCallerDid) {
  StreamOptions options = Resumed();
  options.first_sample = 7000;
  const std::vector<int16_t> sound = Sound(10);
  StreamServer calm({StreamPlan()});
  const Answers expected = RunStream(calm.address(), options, sound);
  EXPECT_EQ(expected.times_ms.front(), 7100);
  EXPECT_EQ(expected.summary->audio_ms, 17000);
  for (const int rows : {0, 5, 100}) {
    StreamServer server({{.end_after_rows = rows, .facts = GetParam()}, {}});
    ExpectSame(RunStream(server.address(), options, sound), expected);
  }
}

TEST(StreamResumeTest, DoesNotGoOnUnlessAsked) {
  StreamServer server({{.end_after_rows = 10, .facts = true}, {}});
  const Answers answers = RunStream(server.address(), RowOptions(), Sound(5));
  EXPECT_TRUE(absl::IsUnavailable(answers.status));
  EXPECT_EQ(ErrorMetadata(answers.status).at("timestamp_rows"), "10");
  EXPECT_EQ(answers.times_ms.size(), 10u) << "what was answered before is given";
  EXPECT_EQ(server.calls(), 1);
}

TEST(StreamResumeTest, DoesNotGoOnAfterOtherFailures) {
  StreamServer server([](int, grpc::ServerContext* context, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    peer->Write(StreamStartedMessage());
    return StreamFailure(context, grpc::StatusCode::INTERNAL, "INTERNAL", {});
  });
  EXPECT_TRUE(absl::IsInternal(RunStream(server.address(), Resumed(), Sound(1)).status));
  EXPECT_EQ(server.calls(), 1);
}

TEST(StreamResumeTest, GoesOnWhereAServerWasKeptWaiting) {
  StreamServer server([](int call, grpc::ServerContext* context, StreamPeer* peer) {
    const grpc::Status status = ServeStream({.end_after_rows = call == 0 ? 10 : -1}, context, peer);
    if (status.ok()) return status;
    return StreamFailure(context, grpc::StatusCode::DEADLINE_EXCEEDED, "STREAM_IDLE", {{"resume_sample", "0"}});
  });
  const Answers answers = RunStream(server.address(), Resumed(), Sound(5));
  EXPECT_TRUE(answers.status.ok()) << answers.status;
  EXPECT_EQ(answers.times_ms.size(), 101u);
}

// HAProxy 2.6 resets a call that its server ends before the client does: CANCELLED, and nothing more.
TEST(StreamResumeTest, GoesOnWhereAProxyHasLostTheServersStatus) {
  const std::vector<int16_t> sound = Sound(20);
  StreamServer calm({StreamPlan()});
  StreamServer server([](int call, grpc::ServerContext* context, StreamPeer* peer) {
    if (call == 1) return grpc::Status::CANCELLED;
    const grpc::Status status = ServeStream({.end_after_rows = call == 0 ? 100 : -1}, context, peer);
    return status.ok() ? status : grpc::Status::CANCELLED;
  });
  const Answers answers = RunStream(server.address(), Resumed(), sound);
  ExpectSame(answers, RunStream(calm.address(), RowOptions(), sound));
  EXPECT_EQ(answers.summary->resumes, 1);
  EXPECT_EQ(server.calls(), 3);
}

TEST(StreamResumeTest, DoesNotGoOnWhereItIsCancelledHere) {
  StreamServer server({StreamPlan()});
  auto client = *Client::Create({.server = server.address()});
  auto stream = *client->OpenStream(Resumed());
  ASSERT_TRUE(stream->Write(Sound(1)).ok());
  ASSERT_TRUE(stream->Read().ok());
  stream->Cancel();
  EXPECT_TRUE(absl::IsCancelled(ReadAll(*stream).status));
  EXPECT_EQ(server.calls(), 1);
}

TEST(StreamResumeTest, TriesAgainWhileServersRefuse) {
  StreamServer server({{.end_after_rows = 10}, {.refuse = true}, {.refuse = true}, {}});
  const Answers answers = RunStream(server.address(), Resumed(), Sound(5));
  EXPECT_TRUE(answers.status.ok()) << answers.status;
  EXPECT_EQ(answers.times_ms.size(), 101u);
  EXPECT_EQ(answers.summary->resumes, 1);
  EXPECT_EQ(server.calls(), 4);
}

TEST(StreamResumeTest, WaitsAsLongAsABusyServerAsks) {
  StreamServer server([](int call, grpc::ServerContext* context, StreamPeer* peer) {
    if (call != 1) return ServeStream({.end_after_rows = call == 0 ? 10 : -1}, context, peer);
    return StreamFailure(context, grpc::StatusCode::RESOURCE_EXHAUSTED, "QUEUE_FULL", {}, /*retry_delay_ms=*/600);
  });
  const auto start = Clock::now();
  EXPECT_EQ(RunStream(server.address(), Resumed(), Sound(5)).times_ms.size(), 101u);
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(600));
}

TEST(StreamResumeTest, GivesUpAfterAsManyTimesInVainAsAsked) {
  StreamOptions options = Resumed();
  options.max_resumes = 2;
  StreamServer server({{.end_after_rows = 10}, {.refuse = true}});
  const Answers answers = RunStream(server.address(), options, Sound(5));
  EXPECT_TRUE(absl::IsUnavailable(answers.status)) << answers.status;
  EXPECT_EQ(server.calls(), 3);
  // New rows between count anew.
  StreamServer slow(
      {{.end_after_rows = 30}, {.end_after_rows = 60}, {.end_after_rows = 60}, {.end_after_rows = 60}, {}});
  EXPECT_TRUE(RunStream(slow.address(), options, Sound(5)).status.ok());
}

TEST(StreamResumeTest, DoesNotGoOnInAnotherSpace) {
  StreamServer server({{.end_after_rows = 10}, {.weights = "def456"}});
  const Answers answers = RunStream(server.address(), Resumed(), Sound(5));
  EXPECT_TRUE(absl::IsFailedPrecondition(answers.status)) << answers.status;
  EXPECT_THAT(std::string(answers.status.message()), HasSubstr("def456"));
}

TEST(StreamResumeTest, RefusesAServerThatAsksForWhatIsNotKept) {
  for (const std::string sample : {"0", "99999999", "soon"}) {
    StreamServer server([&](int, grpc::ServerContext* context, StreamPeer* peer) {
      ServeStream({.end_after_rows = 400}, context, peer);
      return StreamFailure(context, grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN", {{"resume_sample", sample}});
    });
    const Answers answers = RunStream(server.address(), Resumed(), Sound(30));
    EXPECT_FALSE(answers.status.ok());
    EXPECT_THAT(std::string(answers.status.message()), HasSubstr(sample));
    EXPECT_EQ(server.calls(), 1);
  }
}

TEST(StreamResumeTest, SendsNoMoreThanIsNeeded) {
  std::atomic<size_t> sent_again = 0;
  StreamServer server([&](int call, grpc::ServerContext* context, StreamPeer* peer) {
    if (call == 0) return ServeStream({.end_after_rows = 1000}, context, peer);
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    sent_again = request.start().first_sample();
    return grpc::Status(grpc::StatusCode::INTERNAL, "seen");
  });
  RunStream(server.address(), Resumed(), Sound(100));
  EXPECT_EQ(sent_again, 1000u * 50 - 2000);
}

// Nothing is read, or nothing is answered.
class StuckServer {
 public:
  explicit StuckServer(bool reads)
      : server_([this, reads](int, grpc::ServerContext* context, StreamPeer* peer) {
          v1::StreamEmbeddingsRequest request;
          peer->Read(&request);
          peer->Write(StreamStartedMessage());
          while (reads && peer->Read(&request)) ++pieces_;
          while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
          return grpc::Status::CANCELLED;
        }) {}

  std::string address() const { return server_.address(); }
  int pieces() const { return pieces_; }

 private:
  std::atomic<int> pieces_ = 0;
  StreamServer server_;
};

TEST(StuckStreamTest, AWriterWaitsForAServerThatDoesNotRead) {
  StuckServer server(/*reads=*/false);
  StreamOptions options = RowOptions();
  options.idle_timeout = absl::Milliseconds(500);
  auto client = *Client::Create({.server = server.address()});
  auto stream = *client->OpenStream(options);
  ASSERT_TRUE(stream->Read().ok());
  const std::vector<int16_t> piece(500'000);
  absl::Status status;
  int pieces = 0;
  for (; status.ok() && pieces < 100; ++pieces) status = stream->Write(piece);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("has neither taken audio nor answered for 500ms"));
  EXPECT_LT(pieces, 30) << "30 MB were taken for a server that reads nothing";
  EXPECT_EQ(ReadAll(*stream).status, status);
}

TEST(StuckStreamTest, AReaderDoesNotWaitForeverForAServerThatDoesNotAnswer) {
  StuckServer server(/*reads=*/true);
  StreamOptions options = RowOptions();
  options.idle_timeout = absl::Milliseconds(300);
  const auto start = Clock::now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(RunStream(server.address(), options, Sound(1)).status));
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(300));
}

TEST(StuckStreamTest, AWriterWaitsForAnswersWhereAllMustBeKept) {
  StuckServer server(/*reads=*/true);
  StreamOptions options = Resumed();
  options.idle_timeout = absl::Milliseconds(300);
  auto client = *Client::Create({.server = server.address()});
  auto stream = *client->OpenStream(options);
  ASSERT_TRUE(stream->Read().ok());
  int seconds = 0;
  while (stream->Write(Sound(1)).ok()) ++seconds;
  EXPECT_EQ(seconds, 60);
}

TEST(StuckStreamTest, NobodyIsLateWhileNothingIsWritten) {
  StreamServer server({StreamPlan()});
  StreamOptions options = RowOptions();
  options.idle_timeout = absl::Milliseconds(200);
  auto client = *Client::Create({.server = server.address()});
  auto stream = *client->OpenStream(options);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(600));  // A microphone that is off.
    EXPECT_TRUE(stream->Write(Sound(1)).ok());
    stream->Finish();
  });
  EXPECT_EQ(ReadAll(*stream).times_ms.size(), 21u);
  writer.join();
}

TEST(StuckStreamTest, ASlowReaderIsNoSlowServer) {
  StreamServer server({StreamPlan()});
  StreamOptions options = RowOptions();
  options.idle_timeout = absl::Milliseconds(200);
  auto client = *Client::Create({.server = server.address()});
  auto stream = *client->OpenStream(options);
  std::thread writer([&] {
    EXPECT_TRUE(stream->Write(Sound(1)).ok());
    stream->Finish();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_TRUE(ReadAll(*stream).status.ok());
  writer.join();
}

TEST(StuckStreamTest, EndsAtItsDeadline) {
  StuckServer server(/*reads=*/true);
  StreamOptions options = RowOptions();
  options.deadline = absl::Milliseconds(300);
  EXPECT_TRUE(absl::IsDeadlineExceeded(RunStream(server.address(), options, Sound(1)).status));
  // The time between two calls counts too.
  StreamServer refusing({{.end_after_rows = 1}, {.refuse = true}});
  options.resume = true;
  const auto start = Clock::now();
  EXPECT_FALSE(RunStream(refusing.address(), options, Sound(1)).status.ok());
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace hearwire::client
