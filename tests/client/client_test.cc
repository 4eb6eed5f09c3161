#include "client/client.h"

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/error_details.h"
#include "client/stubs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace hearwire::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Client> NewClient(const FakeServer& server, ClientOptions options = {}) {
  options.server = server.address();
  auto client = Client::Create(std::move(options));
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

// An encoded clip as large as audio is: 5 MB, twenty times what gRPC keeps for retries by default.
Audio LargeClip() { return EncodedAudio(std::string(5'000'000, 'x')); }

TEST(ClientTest, GivesOneRowPerClipInTheOrderOfTheRequest) {
  FakeServer server;
  const std::vector<float> samples = {0.5f, -0.5f, 1, 0};
  const std::vector<int16_t> integers = {1, 2, 3};
  auto reply = NewClient(server)->GetSceneEmbeddings(
      {.clips = {EncodedAudio("abc"), PcmAudio(samples, 44100, 2), PcmAudio(integers, 8000)}, .config = "mine"});
  ASSERT_TRUE(reply.ok()) << reply.status();
  ASSERT_EQ(reply->embeddings.rows, 3);
  EXPECT_THAT(reply->embeddings.row(0), ElementsAre(3, 'a' + 'b' + 'c', 0, 0));
  EXPECT_THAT(reply->embeddings.row(1), ElementsAre(16, 0x3f + 0xbf + 0x3f + 0x80, 44100, 2));
  EXPECT_THAT(reply->embeddings.row(2), ElementsAre(6, 6, 8000, 1));
  EXPECT_EQ(reply->space, (EmbeddingSpace{"mine", "abc123", "logmel-1", "float32"}));
  EXPECT_EQ(reply->timings.total, absl::Milliseconds(4));
  EXPECT_EQ(reply->timings.queue, absl::Milliseconds(2));
  EXPECT_EQ(reply->request_id, "fake-1");
}

TEST(ClientTest, DecodesHalfFloats) {
  FakeServer server;
  auto reply =
      NewClient(server)->GetSceneEmbeddings({.clips = {EncodedAudio("abc")}, .element_type = ElementType::kFloat16});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->embeddings.row(0), ElementsAre(1.5f, -2, 65504, 0x1p-24f));
}

TEST(ClientTest, GivesTimestampsOfEachClip) {
  FakeServer server;
  auto reply =
      NewClient(server)->GetTimestampEmbeddings({.clips = {EncodedAudio(std::string(3000, 'a')), EncodedAudio("b")}});
  ASSERT_TRUE(reply.ok()) << reply.status();
  ASSERT_EQ(reply->clips.size(), 2u);
  EXPECT_THAT(reply->clips[0].timestamps_ms, ElementsAre(0, 50, 100));
  EXPECT_THAT(reply->clips[0].embeddings.row(2), ElementsAre(2, 3000, 3000 * 'a' % 65536, 0));
  EXPECT_THAT(reply->clips[1].embeddings.row(0), ElementsAre(0, 1, 'b', 0));
}

TEST(ClientTest, GivesTheTopTags) {
  FakeServer server;
  auto reply = NewClient(server)->GetTags({.clips = {EncodedAudio("ab")}, .top_k = 2});
  ASSERT_TRUE(reply.ok()) << reply.status();
  ASSERT_EQ(reply->clips.at(0).size(), 2u);
  EXPECT_EQ(reply->clips[0][1].name, "Class 1");
  EXPECT_FLOAT_EQ(reply->clips[0][1].probability, 1.0f / 3);
}

TEST(ClientTest, ListsConfigs) {
  FakeServer server;
  auto client = NewClient(server);
  auto all = client->ListConfigs();
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->at(0).min_timestamp_samples, 2561);
  EXPECT_TRUE(all->at(0).is_default);
  EXPECT_EQ(client->ListConfigs(/*loaded_only=*/true)->size(), 1u);
}

TEST(ClientTest, TellsHealth) {
  FakeServer server;
  auto client = NewClient(server);
  EXPECT_EQ(*client->CheckHealth(), ServingStatus::kServing);
  EXPECT_EQ(client->CheckHealth("no.such.Service").status().code(), absl::StatusCode::kNotFound);
  server.SetServing(false);
  EXPECT_EQ(*client->CheckHealth(), ServingStatus::kNotServing);
}

TEST(ClientTest, ReloadsOneServerAndNoneOfSeveral) {
  FakeServer one, other;
  const absl::Status reloaded = NewClient(one)->Reload().status();
  EXPECT_EQ(reloaded.code(), absl::StatusCode::kUnimplemented) << "it has been asked: " << reloaded;
  for (const std::string& several : {one.address() + "," + other.address(), "dns:///" + one.address()}) {
    const absl::Status refused = Client::Create({.server = several}).value()->Reload().status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << several;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("name one, as HOST:PORT"));
  }
}

TEST(ClientTest, CarriesTheDetailsOfAFailure) {
  FakeServer server;
  const absl::Status status = NewClient(server)->GetTags({.clips = {EncodedAudio("bad")}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "clips[0].encoded: not an audio file");
  const std::vector<FieldViolation> violations = FieldViolations(status);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "clips[0].encoded");
  EXPECT_EQ(violations[0].description, "not an audio file");
  EXPECT_EQ(ErrorReason(status), "BAD_AUDIO");
  EXPECT_EQ(ErrorMetadata(status).at("limit"), "17");
  EXPECT_EQ(RetryDelay(status), absl::Milliseconds(1500));
  EXPECT_EQ(RequestId(status), "fake-1");
  EXPECT_FALSE(IsUnreachable(status));
}

TEST(ClientTest, HasNoDetailsWhereTheServerGaveNone) {
  const absl::Status status = absl::InternalError("plain");
  EXPECT_TRUE(FieldViolations(status).empty());
  EXPECT_EQ(ErrorReason(status), "");
  EXPECT_EQ(RetryDelay(status), std::nullopt);
  EXPECT_EQ(RequestId(status), "");
}

TEST(ClientTest, RetriesALargeRequestThatTheServerCouldNotTake) {
  FakeServer server;
  server.service().RefuseNext(2, grpc::StatusCode::UNAVAILABLE, "");
  auto reply = NewClient(server)->GetSceneEmbeddings({.clips = {LargeClip()}});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->embeddings.row(0)[0], 5'000'000);
  EXPECT_EQ(server.service().attempts(), 3);
  EXPECT_EQ(server.service().last_previous_attempts(), "2");
}

TEST(ClientTest, RetriesAfterAsLongAsAnOverloadedServerAsks) {
  FakeServer server;
  server.service().RefuseNext(1, grpc::StatusCode::RESOURCE_EXHAUSTED, "700");
  const auto start = std::chrono::steady_clock::now();
  auto reply = NewClient(server)->GetSceneEmbeddings({.clips = {LargeClip()}});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(server.service().attempts(), 2);
  // The client's own pause would be 0.1 s.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(650));
}

TEST(ClientTest, DoesNotRetryWhereTheServerForbidsIt) {
  FakeServer server;
  server.service().RefuseNext(1, grpc::StatusCode::RESOURCE_EXHAUSTED, "-1");
  const absl::Status status = NewClient(server)->GetSceneEmbeddings({.clips = {LargeClip()}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "come back later");
  EXPECT_EQ(server.service().attempts(), 1);
}

TEST(ClientTest, SendsACallsMetadataBeforeItsOwn) {
  FakeServer server;
  auto client = NewClient(server, {.metadata = {{"x-team", "search"}, {"x-request-id", "all"}}});
  ASSERT_TRUE(client->GetTags({.clips = {EncodedAudio("a")}}).ok());
  EXPECT_EQ(server.service().last_metadata("x-request-id"), "all");
  ASSERT_TRUE(client->GetTags({.clips = {EncodedAudio("a")}}, {.metadata = {{"x-request-id", "mine"}}}).ok());
  EXPECT_EQ(server.service().last_metadata("x-request-id"), "mine");
  EXPECT_EQ(server.service().last_metadata("x-team"), "search");
  const absl::Status wrong = client->GetTags({.clips = {EncodedAudio("a")}}, {.metadata = {{"X-Team", "a"}}}).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.message()), HasSubstr("metadata \"X-Team\""));
  EXPECT_FALSE(client->OpenStream({.sample_rate_hz = 8000, .timestamps = true, .metadata = {{"", "a"}}}).ok());
}

TEST(ClientTest, DoesNotRetryWithASingleAttempt) {
  FakeServer server;
  server.service().RefuseNext(1, grpc::StatusCode::UNAVAILABLE, "");
  auto client = NewClient(server, {.max_attempts = 1});
  const absl::Status status = client->GetSceneEmbeddings({.clips = {EncodedAudio("abc")}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(IsUnreachable(status));
  EXPECT_EQ(server.service().attempts(), 1);
}

TEST(ClientTest, DoesNotRetryWhatIsWrong) {
  FakeServer server;
  EXPECT_FALSE(NewClient(server)->GetSceneEmbeddings({.clips = {EncodedAudio("bad")}}).ok());
  EXPECT_EQ(server.service().attempts(), 1);
}

TEST(ClientTest, EndsACallAtItsDeadline) {
  FakeServer server;
  auto client = NewClient(server);
  const absl::Status status =
      client->GetSceneEmbeddings({.clips = {EncodedAudio("hang")}}, {.deadline = absl::Milliseconds(100)}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(status.message(), "no reply from " + server.address() + " within 100ms");
}

TEST(ClientTest, HasADeadlineOfItsOwn) {
  FakeServer server;
  auto client = NewClient(server, {.deadline = absl::Milliseconds(100)});
  EXPECT_EQ(client->GetTags({.clips = {EncodedAudio("hang")}}).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(client->GetTags({}, {.deadline = absl::InfiniteDuration()}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ClientTest, EndsACallWhenAskedToStop) {
  FakeServer server;
  auto client = NewClient(server);
  std::stop_source stop;
  std::promise<absl::StatusOr<SceneEmbeddings>> promise;
  client->GetSceneEmbeddingsAsync({.clips = {EncodedAudio("hang")}}, {.cancellation = stop.get_token()},
                                  [&](auto reply) { promise.set_value(std::move(reply)); });
  stop.request_stop();
  EXPECT_EQ(promise.get_future().get().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(client->GetTags({}, {.cancellation = stop.get_token()}).status().code(), absl::StatusCode::kCancelled);
}

TEST(ClientTest, RunsManyCallsAtOnceFromManyThreads) {
  FakeServer server;
  auto client = NewClient(server);
  std::vector<std::jthread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::future<absl::StatusOr<SceneEmbeddings>>> replies;
      for (int i = 0; i < 10; ++i) {
        auto promise = std::make_shared<std::promise<absl::StatusOr<SceneEmbeddings>>>();
        replies.push_back(promise->get_future());
        client->GetSceneEmbeddingsAsync({.clips = {EncodedAudio(std::string(1 + t * 10 + i, 'y'))}}, {},
                                        [promise](auto reply) { promise->set_value(std::move(reply)); });
      }
      for (int i = 0; i < 10; ++i) {
        auto reply = replies[i].get();
        if (reply.ok() && reply->embeddings.row(0)[0] == 1 + t * 10 + i) ++right;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 40);
}

TEST(ClientTest, FinishesCallsThatOutliveIt) {
  FakeServer server;
  // Often: whether the client or the call is the last to let go of the channel is a matter of microseconds.
  for (int i = 0; i < 200; ++i) {
    std::promise<absl::StatusOr<Tags>> promise;
    NewClient(server)->GetTagsAsync({.clips = {EncodedAudio("abc")}}, {},
                                    [&](auto reply) { promise.set_value(std::move(reply)); });
    EXPECT_TRUE(promise.get_future().get().ok());
  }
}

TEST(ClientTest, ReachesAUnixSocket) {
  const std::string address = "unix:" + testing::TempDir() + "hearwire_client_test.sock";
  FakeServer server(address);
  EXPECT_EQ(*NewClient(server)->CheckHealth(), ServingStatus::kServing);
}

TEST(ClientTest, RefusesARequestOverTheLimitBeforeSendingIt) {
  FakeServer server;
  auto client = NewClient(server, {.max_message_bytes = 1000});
  const absl::Status status = client->GetSceneEmbeddings({.clips = {EncodedAudio(std::string(1000, 'x'))}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("limit of 1000 bytes"));
  bool done = false;
  client->GetSceneEmbeddingsAsync({.clips = {EncodedAudio(std::string(1000, 'x'))}}, {},
                                  [&](const auto& reply) { done = !reply.ok(); });
  EXPECT_TRUE(done);
  EXPECT_EQ(server.service().attempts(), 0);
}

TEST(ClientTest, TakesRepliesOverFourMebibytes) {
  FakeServer server;
  // All tags of 500 clips: 5 MB.
  auto small =
      NewClient(server, {.max_reply_bytes = 4 << 20})->GetTags({.clips = std::vector<Audio>(500, EncodedAudio("a"))});
  EXPECT_EQ(small.status().code(), absl::StatusCode::kResourceExhausted);
  auto reply = NewClient(server)->GetTags({.clips = std::vector<Audio>(500, EncodedAudio("a"))});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->clips.size(), 500u);
}

TEST(ClientTest, RefusesWrongOptions) {
  for (const ClientOptions& options :
       {ClientOptions{.server = ""}, ClientOptions{.server = "http://127.0.0.1:8001"},
        ClientOptions{.deadline = absl::ZeroDuration()}, ClientOptions{.deadline = absl::InfiniteDuration()},
        ClientOptions{.max_attempts = 0}, ClientOptions{.max_attempts = 6}, ClientOptions{.max_message_bytes = 0},
        ClientOptions{.max_reply_bytes = int64_t{1} << 40}}) {
    EXPECT_EQ(Client::Create(options).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

// Answers whatever the test says.
class ScriptedStub final : public v1::EmbeddingService::StubInterface {
 public:
  v1::GetSceneEmbeddingsResponse scene_reply;
  v1::GetTimestampEmbeddingsResponse timestamp_reply;

  grpc::Status GetSceneEmbeddings(grpc::ClientContext* /*context*/, const v1::GetSceneEmbeddingsRequest& /*request*/,
                                  v1::GetSceneEmbeddingsResponse* reply) override {
    *reply = scene_reply;
    return grpc::Status::OK;
  }
  grpc::Status GetTimestampEmbeddings(grpc::ClientContext* /*context*/,
                                      const v1::GetTimestampEmbeddingsRequest& /*request*/,
                                      v1::GetTimestampEmbeddingsResponse* reply) override {
    *reply = timestamp_reply;
    return grpc::Status::OK;
  }
  grpc::Status GetTags(grpc::ClientContext*, const v1::GetTagsRequest&, v1::GetTagsResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status ListConfigs(grpc::ClientContext*, const v1::ListConfigsRequest&, v1::ListConfigsResponse*) override {
    return grpc::Status::OK;
  }

 private:
  // Not used by the client.
#define HEARWIRE_UNUSED_METHOD(Method)                                                       \
  grpc::ClientAsyncResponseReaderInterface<v1::Method##Response>* Async##Method##Raw(        \
      grpc::ClientContext*, const v1::Method##Request&, grpc::CompletionQueue*) override {   \
    return nullptr;                                                                          \
  }                                                                                          \
  grpc::ClientAsyncResponseReaderInterface<v1::Method##Response>* PrepareAsync##Method##Raw( \
      grpc::ClientContext*, const v1::Method##Request&, grpc::CompletionQueue*) override {   \
    return nullptr;                                                                          \
  }
  HEARWIRE_UNUSED_METHOD(GetSceneEmbeddings)
  HEARWIRE_UNUSED_METHOD(GetTimestampEmbeddings)
  HEARWIRE_UNUSED_METHOD(GetTags)
  HEARWIRE_UNUSED_METHOD(ListConfigs)
  HEARWIRE_UNUSED_METHOD(Classify)
  HEARWIRE_UNUSED_METHOD(ListHeads)
#undef HEARWIRE_UNUSED_METHOD

  grpc::Status Classify(grpc::ClientContext*, const v1::ClassifyRequest&, v1::ClassifyResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status ListHeads(grpc::ClientContext*, const v1::ListHeadsRequest&, v1::ListHeadsResponse*) override {
    return grpc::Status::OK;
  }
  using Stream = grpc::ClientReaderWriterInterface<v1::StreamEmbeddingsRequest, v1::StreamEmbeddingsResponse>;
  using AsyncStream = grpc::ClientAsyncReaderWriterInterface<v1::StreamEmbeddingsRequest, v1::StreamEmbeddingsResponse>;
  Stream* StreamEmbeddingsRaw(grpc::ClientContext*) override { return nullptr; }
  AsyncStream* AsyncStreamEmbeddingsRaw(grpc::ClientContext*, grpc::CompletionQueue*, void*) override {
    return nullptr;
  }
  AsyncStream* PrepareAsyncStreamEmbeddingsRaw(grpc::ClientContext*, grpc::CompletionQueue*) override {
    return nullptr;
  }
};

TEST(ClientTest, RefusesRepliesThatContradictThemselves) {
  auto owned = std::make_unique<ScriptedStub>();
  ScriptedStub& stub = *owned;
  auto client = Client::Create({}, std::make_unique<Client::Stubs>(std::move(owned), nullptr));
  ASSERT_TRUE(client.ok());
  const auto failure = [&] {
    const absl::Status status = (*client)->GetSceneEmbeddings({.clips = {EncodedAudio("abc")}}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    return std::string(status.message());
  };
  v1::Matrix& matrix = *stub.scene_reply.mutable_embeddings();
  EXPECT_THAT(failure(), HasSubstr("element type 0"));
  matrix.set_element_type(v1::ELEMENT_TYPE_FLOAT32);
  EXPECT_THAT(failure(), HasSubstr("0 clips of a request with 1"));
  matrix.set_rows(1);
  matrix.set_columns(0xffffffff);
  matrix.set_data("12345");
  EXPECT_THAT(failure(), HasSubstr("5 bytes"));
  v1::TimestampEmbeddings& clip = *stub.timestamp_reply.add_clips();
  *clip.mutable_embeddings() = matrix;
  clip.mutable_embeddings()->set_columns(1);
  clip.mutable_embeddings()->set_data("1234");
  EXPECT_THAT((*client)->GetTimestampEmbeddings({.clips = {EncodedAudio("abc")}}).status().ToString(),
              HasSubstr("0 timestamps for 1 embeddings"));
}

}  // namespace
}  // namespace hearwire::client
