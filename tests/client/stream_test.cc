#include "client/stream.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/client.h"
#include "client/error_details.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/stream_answers.h"
#include "tests/client/stream_server.h"

namespace hearwire::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Client> NewClient(const std::string& server) {
  auto client = Client::Create({.server = server});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

TEST(StreamTest, GivesWhatTheServerAnswersInItsOrder) {
  StreamServer server({StreamPlan()});
  StreamOptions options = RowOptions();
  options.scenes = true;
  options.tags_top_k = 1;
  options.heads = {"every50", "whole"};
  const Answers answers = RunStream(server.address(), options, Sound(12));
  EXPECT_TRUE(answers.status.ok()) << answers.status;
  EXPECT_EQ(answers.starts, 1);
  ASSERT_EQ(answers.times_ms.size(), 241u);
  EXPECT_EQ(answers.times_ms[240], 12000);
  EXPECT_EQ(answers.values[3 * 240], 240);
  EXPECT_EQ(answers.label_times_ms, answers.times_ms);
  EXPECT_EQ(answers.label_names.at(7), "label 7");
  EXPECT_EQ(answers.label_names.at(200), "") << "the head has 200 labels";
  EXPECT_THAT(answers.scene_times_ms, ElementsAre(0, 2500, 5000, 7500, 10000));
  ASSERT_TRUE(answers.summary.has_value());
  EXPECT_EQ(answers.summary->audio_ms, 12000);
  EXPECT_EQ(answers.summary->timestamp_rows, 241);
  EXPECT_EQ(answers.summary->scene_windows, 5);
  EXPECT_EQ(answers.summary->scene.columns, 2);
  EXPECT_EQ(answers.summary->resumes, 0);
}

TEST(StreamTest, BringsItsMetadata) {
  std::string id;
  StreamServer server([&](int, grpc::ServerContext* context, StreamPeer* /*peer*/) {
    const auto found = context->client_metadata().find("x-request-id");
    if (found != context->client_metadata().end()) id.assign(found->second.data(), found->second.size());
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such config");
  });
  StreamOptions options = RowOptions();
  options.metadata = {{"x-request-id", "mine-17"}};
  EXPECT_EQ(RunStream(server.address(), options, Sound(1)).status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(id, "mine-17");
}

TEST(StreamTest, GivesTheSameHoweverThePiecesAreCut) {
  StreamServer server({StreamPlan()});
  const std::vector<int16_t> sound = Sound(3);
  const Answers whole = RunStream(server.address(), RowOptions(), sound, sound.size());
  ASSERT_EQ(whole.times_ms.size(), 61u);
  StreamOptions split = RowOptions();
  split.max_piece_bytes = 77;  // Within a sample.
  EXPECT_EQ(RunStream(server.address(), split, sound, sound.size()).values, whole.values);
  EXPECT_EQ(RunStream(server.address(), split, sound, 1).values, whole.values);
}

TEST(StreamTest, SplitsPiecesOverTheLimit) {
  std::atomic<size_t> largest = 0;
  std::atomic<size_t> total = 0;
  StreamServer server([&](int, grpc::ServerContext*, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    peer->Write(StreamStartedMessage());
    while (peer->Read(&request)) {
      largest = std::max(largest.load(), request.samples().size());
      total += request.samples().size();
    }
    v1::StreamEmbeddingsResponse last;
    last.mutable_summary();
    peer->Write(last);
    return grpc::Status::OK;
  });
  EXPECT_TRUE(RunStream(server.address(), RowOptions(), Sound(3000), 2'999'999).status.ok());
  EXPECT_EQ(largest, size_t{1} << 20);
  EXPECT_EQ(total, 6'000'000u);
}

TEST(StreamTest, AnswersWhileMoreIsWritten) {
  StreamServer server({StreamPlan()});
  auto stream = *NewClient(server.address())->OpenStream(RowOptions());
  EXPECT_TRUE(std::holds_alternative<StreamStarted>(**stream->Read()));
  for (int i = 0; i < 20; ++i) {
    // The first row is known after half a window, each other one 50 ms later.
    ASSERT_TRUE(stream->Write(std::vector<int16_t>(i == 0 ? 80 : 50)).ok());
    const auto event = stream->Read();
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_THAT(std::get<ClipTimestampEmbeddings>(**event).timestamps_ms, ElementsAre(i * 50));
  }
}

TEST(StreamTest, WritesOfOtherSamplesAreRefused) {
  StreamServer server({StreamPlan()});
  auto stream = *NewClient(server.address())->OpenStream(RowOptions());
  EXPECT_TRUE(absl::IsInvalidArgument(stream->Write(std::vector<float>(10))));
  EXPECT_TRUE(stream->Write(std::vector<int16_t>(1000)).ok());
  stream->Finish();
  EXPECT_TRUE(absl::IsFailedPrecondition(stream->Write(std::vector<int16_t>(10))));
  const Answers answers = ReadAll(*stream);
  EXPECT_EQ(answers.times_ms.size(), 21u);
  EXPECT_TRUE(absl::IsFailedPrecondition(stream->Write(std::vector<int16_t>(10))));
  EXPECT_FALSE(stream->Read()->has_value()) << "the end stays the end";
}

TEST(StreamTest, RefusesWrongOptions) {
  auto client = NewClient("127.0.0.1:1");
  const auto refused = [&](auto change) {
    StreamOptions options = RowOptions();
    change(options);
    const absl::Status status = client->OpenStream(options).status();
    return absl::IsInvalidArgument(status) ? std::string(status.message()) : status.ToString();
  };
  EXPECT_THAT(refused([](auto& options) { options.encoding = Audio::Encoding::kFile; }), HasSubstr("kLinear16"));
  EXPECT_THAT(refused([](auto& options) { options.timestamps = false; }), HasSubstr("asks for nothing"));
  EXPECT_THAT(refused([](auto& options) { options.sample_rate_hz = 0; }), HasSubstr("sample_rate_hz is 0: 1000 to"));
  EXPECT_THAT(refused([](auto& options) { options.channels = 33; }), HasSubstr("channels is 33: 1 to 32"));
  EXPECT_THAT(refused([](auto& options) { options.tags_top_k = -1; }), HasSubstr("tags_top_k"));
  EXPECT_THAT(refused([](auto& options) { options.first_sample = -1; }), HasSubstr("first_sample"));
  EXPECT_THAT(refused([](auto& options) { options.max_piece_bytes = 1 << 30; }), HasSubstr("max_piece_bytes"));
  EXPECT_THAT(refused([](auto& options) { options.idle_timeout = absl::ZeroDuration(); }), HasSubstr("idle_timeout"));
  EXPECT_THAT(refused([](auto& options) { options.deadline = absl::InfiniteDuration(); }), HasSubstr("deadline"));
}

TEST(StreamTest, FailsAsTheServerSays) {
  StreamServer server([](int, grpc::ServerContext* context, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    return StreamFailure(context, grpc::StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST", {{"limit", "17"}});
  });
  auto stream = *NewClient(server.address())->OpenStream(RowOptions());
  const absl::Status status = stream->Read().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "come back later");
  EXPECT_EQ(ErrorReason(status), "INVALID_REQUEST");
  EXPECT_EQ(ErrorMetadata(status).at("limit"), "17");
  EXPECT_EQ(stream->Read().status(), status);
  EXPECT_EQ(stream->Write(std::vector<int16_t>(10)), status);
}

TEST(StreamTest, AWriterAloneHearsOfTheFailureToo) {
  StreamServer server([](int, grpc::ServerContext* context, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    return StreamFailure(context, grpc::StatusCode::NOT_FOUND, "UNKNOWN_CONFIG", {});
  });
  auto stream = *NewClient(server.address())->OpenStream(RowOptions());
  absl::Status status;
  while (status.ok()) status = stream->Write(std::vector<int16_t>(1000));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
}

TEST(StreamTest, SaysThatThereIsNoServer) {
  std::string address;
  {
    StreamServer server({StreamPlan()});
    address = server.address();
  }
  const Answers answers = RunStream(address, RowOptions(), Sound(1));
  EXPECT_TRUE(IsUnreachable(answers.status)) << answers.status;
  EXPECT_THAT(std::string(answers.status.message()), HasSubstr("no server at " + address));
}

// A stream that starts, and then says `messages`.
absl::Status StatusAfter(const std::vector<v1::StreamEmbeddingsResponse>& messages, bool started = true) {
  StreamServer server([&](int, grpc::ServerContext*, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    if (started) peer->Write(StreamStartedMessage());
    while (peer->Read(&request)) {
    }
    for (const auto& message : messages) peer->Write(message);
    return grpc::Status::OK;
  });
  return RunStream(server.address(), RowOptions(), Sound(1)).status;
}

v1::StreamEmbeddingsResponse RowAt(double ms) {
  v1::StreamEmbeddingsResponse message;
  AddStreamRow(ms, {1, 2}, message.mutable_timestamps());
  return message;
}

v1::StreamEmbeddingsResponse SummaryOf(uint64_t rows) {
  v1::StreamEmbeddingsResponse message;
  message.mutable_summary()->set_timestamp_rows(rows);
  return message;
}

TEST(StreamTest, RefusesStreamsThatContradictThemselves) {
  const auto contradiction = [](const absl::Status& status) {
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    return std::string(status.message());
  };
  EXPECT_TRUE(StatusAfter({RowAt(0), RowAt(50), SummaryOf(2)}).ok());
  EXPECT_THAT(contradiction(StatusAfter({RowAt(0), RowAt(100)})), HasSubstr("at 100 ms where the one at 50 ms"));
  EXPECT_THAT(contradiction(StatusAfter({RowAt(50), RowAt(0)})), HasSubstr("at 0 ms where the one at 100 ms"));
  EXPECT_THAT(contradiction(StatusAfter({RowAt(0), SummaryOf(2)})), HasSubstr("counts 2 rows, of which 1 came"));
  EXPECT_THAT(contradiction(StatusAfter({RowAt(0)})), HasSubstr("without a summary"));
  EXPECT_THAT(contradiction(StatusAfter({SummaryOf(0), RowAt(0)})), HasSubstr("after its summary"));
  EXPECT_THAT(contradiction(StatusAfter({RowAt(0)}, /*started=*/false)), HasSubstr("before it has started"));
  EXPECT_THAT(contradiction(StatusAfter({StreamStartedMessage()})), HasSubstr("starts twice"));
  EXPECT_THAT(contradiction(StatusAfter({v1::StreamEmbeddingsResponse()})), HasSubstr("nothing that this client"));

  v1::StreamEmbeddingsResponse matrix = RowAt(0);
  matrix.mutable_timestamps()->mutable_embeddings()->set_columns(3);
  EXPECT_THAT(contradiction(StatusAfter({matrix})), HasSubstr("matrix of 1 x 3 values has 8 bytes"));
  v1::StreamEmbeddingsResponse times = RowAt(0);
  times.mutable_timestamps()->add_timestamps_ms(50);
  EXPECT_THAT(contradiction(StatusAfter({times})), HasSubstr("2 timestamps for 1 embeddings"));
  v1::StreamEmbeddingsResponse scene;
  *scene.mutable_scene()->mutable_embedding() = RowAt(0).timestamps().embeddings();
  scene.mutable_scene()->mutable_embedding()->set_rows(2);
  scene.mutable_scene()->mutable_embedding()->set_columns(1);
  EXPECT_THAT(contradiction(StatusAfter({scene})), HasSubstr("2 rows for one scene"));
  v1::StreamEmbeddingsResponse heads;
  heads.mutable_head_rows()->add_heads()->set_head("other");
  EXPECT_THAT(contradiction(StatusAfter({heads})), HasSubstr("rows of head other"));
}

TEST(StreamTest, RefusesASummaryBeforeTheAudiosEnd) {
  StreamServer server([](int, grpc::ServerContext*, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    peer->Write(StreamStartedMessage());
    peer->Write(SummaryOf(0));
    return grpc::Status::OK;
  });
  auto stream = *NewClient(server.address())->OpenStream(RowOptions());
  const Answers answers = ReadAll(*stream);
  EXPECT_TRUE(absl::IsInternal(answers.status)) << answers.status;
  EXPECT_THAT(std::string(answers.status.message()), HasSubstr("before the audio's end"));
}

TEST(StreamTest, EndsWhenAskedTo) {
  StreamServer server({StreamPlan()});
  auto client = NewClient(server.address());
  auto stream = *client->OpenStream(RowOptions());
  ASSERT_TRUE((*stream->Read()).has_value());
  std::thread canceller([&] { stream->Cancel(); });
  EXPECT_TRUE(absl::IsCancelled(stream->Read().status()));
  canceller.join();
  EXPECT_TRUE(absl::IsCancelled(stream->Write(std::vector<int16_t>(10))));

  std::stop_source stop;
  StreamOptions options = RowOptions();
  options.cancellation = stop.get_token();
  auto stopped = *client->OpenStream(options);
  std::thread stopper([&] { stop.request_stop(); });
  EXPECT_TRUE(absl::IsCancelled(ReadAll(*stopped).status));
  stopper.join();
}

TEST(StreamTest, LeavesNothingRunningWhenItIsDropped) {
  std::promise<void> running;
  std::promise<void> ended;
  StreamServer server([&](int, grpc::ServerContext* context, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    for (int i = 0; i < 3; ++i) peer->Write(StreamStartedMessage());  // That nobody takes.
    running.set_value();
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ended.set_value();
    return grpc::Status::CANCELLED;
  });
  auto stream = *NewClient(server.address())->OpenStream(RowOptions());
  running.get_future().get();
  stream.reset();
  ended.get_future().get();
  // Nor does one that nothing was heard of.
  for (int i = 0; i < 20; ++i) (*NewClient("127.0.0.1:1")->OpenStream(RowOptions())).reset();
}

TEST(StreamTest, OutlivesItsClient) {
  StreamServer server({StreamPlan()});
  auto stream = *NewClient(server.address())->OpenStream(RowOptions());
  ASSERT_TRUE(stream->Write(Sound(1)).ok());
  stream->Finish();
  EXPECT_EQ(ReadAll(*stream).times_ms.size(), 21u);
}

}  // namespace
}  // namespace hearwire::client
