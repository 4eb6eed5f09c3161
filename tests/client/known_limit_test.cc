// Requests that are larger than the server takes.

#include <future>
#include <memory>
#include <string>

#include "client/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace hearwire::client {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Client> NewClient(const FakeServer& server) {
  auto client = Client::Create({.server = server.address()});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

Audio LargeClip() { return EncodedAudio(std::string(5'000'000, 'x')); }

TEST(KnownLimitTest, UploadsNothingThatTheServerWouldRefuseAsTooLarge) {
  FakeServer server("127.0.0.1:0", 2'000'000);
  server.service().TellLimit(2'000'000);
  auto client = NewClient(server);
  std::promise<absl::Status> asynchronous;
  client->GetTagsAsync({.clips = {LargeClip()}}, {},
                       [&](const absl::StatusOr<Tags>& reply) { asynchronous.set_value(reply.status()); });
  for (const absl::Status& status :
       {client->GetSceneEmbeddings({.clips = {LargeClip()}}).status(), asynchronous.get_future().get()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(status.message()), HasSubstr("larger than the server at " + server.address() +
                                                         " takes (2000000 bytes, its --max-message-bytes)"));
  }
  EXPECT_EQ(server.service().lists(), 2);  // Each time: it may have been started with another limit since.
  server.service().TellLimit(6'000'000);
  // What a server says and does not keep is gRPC's own refusal.
  EXPECT_THAT(std::string(client->GetSceneEmbeddings({.clips = {LargeClip()}}).status().message()),
              HasSubstr("larger than max"));
  EXPECT_EQ(server.service().attempts(), 0);
}

TEST(KnownLimitTest, AsksForTheServersLimitOnce) {
  FakeServer server;
  server.service().TellLimit(64'000'000);
  auto client = NewClient(server);
  ASSERT_TRUE(client->GetSceneEmbeddings({.clips = {EncodedAudio("small")}}).ok());
  EXPECT_EQ(server.service().lists(), 0);
  for (int call = 0; call < 3; ++call) ASSERT_TRUE(client->GetSceneEmbeddings({.clips = {LargeClip()}}).ok());
  std::promise<absl::Status> asynchronous;
  client->GetTagsAsync({.clips = {LargeClip()}}, {},
                       [&](const absl::StatusOr<Tags>& reply) { asynchronous.set_value(reply.status()); });
  EXPECT_EQ(asynchronous.get_future().get(), absl::OkStatus());
  EXPECT_EQ(server.service().lists(), 1);
  EXPECT_EQ(client->GetLimits()->max_message_bytes, 64'000'000);
}

TEST(KnownLimitTest, SendsLargeRequestsToServersThatTellNoLimits) {
  FakeServer server;
  EXPECT_TRUE(NewClient(server)->GetSceneEmbeddings({.clips = {LargeClip()}}).ok());
  server.service().TellLimit(0);
  auto client = NewClient(server);
  std::promise<absl::Status> asynchronous;
  client->GetTagsAsync({.clips = {LargeClip()}}, {},
                       [&](const absl::StatusOr<Tags>& reply) { asynchronous.set_value(reply.status()); });
  EXPECT_EQ(asynchronous.get_future().get(), absl::OkStatus());
  EXPECT_TRUE(client->GetSceneEmbeddings({.clips = {LargeClip()}}).ok());
  EXPECT_EQ(server.service().lists(), 2);
}

}  // namespace
}  // namespace hearwire::client
