// The door, from outside: every method of the service passes it.

#include "server/rpc/door.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "tests/server/access/sha256_of.h"
#include "tests/server/rpc/service_harness.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

AccessOptions WithTokens(const std::string& lines) {
  std::string folder = testing::TempDir() + "hearwire-door-XXXXXX";
  mkdtemp(folder.data());
  std::ofstream(folder + "/tokens") << lines;
  AccessOptions access;
  access.tokens = TokenStore::Create(folder + "/tokens", ServiceMethods()).value();
  std::filesystem::remove_all(folder);
  return access;
}

ServiceHarness::Options Closed(const std::string& lines) {
  ServiceHarness::Options options;
  options.access = WithTokens(lines);
  return options;
}

ServiceHarness::Options Limited(CallerLimits limits) {
  ServiceHarness::Options options;
  options.access.limits = limits;
  return options;
}

Failure Tags(ServiceHarness* harness, const std::string& authorization, double seconds = 0.5) {
  grpc::ClientContext context;
  if (!authorization.empty()) context.AddMetadata("authorization", authorization);
  v1::GetTagsResponse response;
  return Describe(harness->NewStub()->GetTags(&context, RequestFor<v1::GetTagsRequest>({ToneClip(seconds)}), &response),
                  context);
}

// Any method, without a message and without a token.
grpc::Status CallBare(ServiceHarness* harness, const std::string& method) {
  grpc::GenericStub stub(harness->NewChannel());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, "/hearwire.v1.EmbeddingService/" + method, &queue);
  void* tag;
  bool ok;
  const auto wait = [&] { EXPECT_TRUE(queue.Next(&tag, &ok)); };
  call->StartCall(&tag), wait();
  const grpc::Slice nothing;
  call->WriteLast(grpc::ByteBuffer(&nothing, 1), grpc::WriteOptions(), &tag), wait();
  grpc::Status status;
  call->Finish(&status, &tag), wait();
  return status;
}

TEST(DoorTest, KnowsTheMethodsOfTheServices) {
  EXPECT_THAT(ServiceMethods(),
              UnorderedElementsAre("GetSceneEmbeddings", "GetTimestampEmbeddings", "GetTags", "StreamEmbeddings",
                                   "ListConfigs", "Classify", "ListHeads", "ServerLive", "ServerReady", "ModelReady",
                                   "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelConfig", "ModelStatistics",
                                   "RepositoryIndex", "Reload"));
}

TEST(DoorTest, KnowsEachMethodByANameOfItsOwn) {
  const std::vector<std::string> methods = ServiceMethods();
  EXPECT_EQ(std::set<std::string>(methods.begin(), methods.end()).size(), methods.size());
}

TEST(DoorTest, LetsNoMethodThroughWithoutAToken) {
  ServiceHarness harness(Closed(Sha256Of("secret") + " ingest"));
  // Those of the other service: tests/e2e/test_open_inference.py.
  const google::protobuf::ServiceDescriptor& service = *v1::GetTagsRequest::descriptor()->file()->service(0);
  for (int i = 0; i < service.method_count(); ++i) {
    const std::string& method = service.method(i)->name();
    const grpc::Status status = CallBare(&harness, method);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << method << ": " << status.error_message();
  }
  EXPECT_EQ(harness.metrics.count("rejected TOKEN_MISSING"), service.method_count());
  EXPECT_EQ(harness.service->calls_in_flight(), 0);
}

TEST(DoorTest, SaysWhyACallIsTurnedAway) {
  ServiceHarness harness(Closed(Sha256Of("secret") + " ingest\n" + Sha256Of("narrow") + " search methods=ListConfigs"));
  const Failure missing = Tags(&harness, "");
  EXPECT_EQ(missing.status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(missing.reason, "TOKEN_MISSING");
  EXPECT_THAT(missing.status.error_message(), HasSubstr("authorization: Bearer TOKEN"));
  const Failure unknown = Tags(&harness, "Bearer guess");
  EXPECT_EQ(unknown.status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(unknown.reason, "TOKEN_UNKNOWN");
  EXPECT_FALSE(unknown.pushback.has_value());
  const Failure narrow = Tags(&harness, "Bearer narrow");
  EXPECT_EQ(narrow.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(narrow.reason, "NOT_PERMITTED");
  EXPECT_THAT(narrow.status.error_message(), HasSubstr("the token of search is not for GetTags"));
  EXPECT_TRUE(Tags(&harness, "Bearer secret").status.ok());
  EXPECT_EQ(harness.metrics.count("rejected TOKEN_UNKNOWN"), 1);
  EXPECT_EQ(harness.metrics.count("rejected NOT_PERMITTED"), 1);
}

TEST(DoorTest, TellsLogsAndMetricsWhoCalled) {
  ServiceHarness harness(Closed(Sha256Of("secret") + " ingest"));
  EXPECT_TRUE(Tags(&harness, "Bearer secret").status.ok());
  EXPECT_FALSE(Tags(&harness, "Bearer guess").status.ok());
  const std::vector<KeptRecord> records = harness.WaitForRecords(2);
  EXPECT_EQ(records[0].caller, "ingest");
  EXPECT_EQ(records[1].caller, "") << "nobody is known to have called";
  EXPECT_EQ(harness.metrics.count("caller ingest named"), 1);
  EXPECT_EQ(absl::ToInt64Milliseconds(harness.metrics.caller_audio()), 500);
  EXPECT_GT(harness.metrics.caller_cpu(), absl::ZeroDuration());
}

TEST(DoorTest, LimitsTheCallsOfACaller) {
  ServiceHarness harness(Closed(Sha256Of("secret") + " ingest calls-per-minute=2\n" + Sha256Of("free") + " search"));
  EXPECT_TRUE(Tags(&harness, "Bearer secret").status.ok());
  EXPECT_TRUE(Tags(&harness, "Bearer secret").status.ok());
  const Failure over = Tags(&harness, "Bearer secret");
  EXPECT_EQ(over.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(over.reason, "CALLER_LIMIT");
  EXPECT_EQ(over.facts.at("limit"), "calls");
  EXPECT_EQ(over.facts.at("per_minute"), "2");
  ASSERT_TRUE(over.retry_ms.has_value());
  EXPECT_GT(*over.retry_ms, 20'000);
  EXPECT_LE(*over.retry_ms, 30'000);
  EXPECT_EQ(over.pushback, std::to_string(*over.retry_ms));
  EXPECT_THAT(over.status.error_message(), HasSubstr("ingest has used up its limit of 2 calls a minute"));
  EXPECT_TRUE(Tags(&harness, "Bearer free").status.ok());
  EXPECT_EQ(harness.metrics.count("rejected CALLER_LIMIT"), 1);
  // A call is counted out when its answer has been sent, which its caller may see before.
  while (harness.service->calls_in_flight() > 0) absl::SleepFor(absl::Milliseconds(1));
}

TEST(DoorTest, LimitsTheBytesAndTheAudioOfACaller) {
  ServiceHarness bytes(Limited({.bytes = 100'000}));
  EXPECT_TRUE(Tags(&bytes, "").status.ok());  // 64 kB.
  EXPECT_EQ(Tags(&bytes, "").facts.at("limit"), "bytes");
  ServiceHarness audio(Limited({.audio_seconds = 1}));
  EXPECT_TRUE(Tags(&audio, "", 3).status.ok());
  const Failure over = Tags(&audio, "");
  EXPECT_EQ(over.facts.at("limit"), "audio_seconds");
  EXPECT_GT(over.retry_ms.value_or(0), 60'000) << "two seconds are to be made up for";
}

TEST(DoorTest, EndsAStreamThatTakesMoreThanItsCallerMay) {
  ServiceHarness harness(Limited({.audio_seconds = 2}));
  grpc::ClientContext context;
  const auto stub = harness.NewStub();
  const auto stream = stub->StreamEmbeddings(&context);
  v1::StreamEmbeddingsRequest start;
  start.mutable_start()->set_timestamps(true);
  start.mutable_start()->set_encoding(v1::Pcm::ENCODING_FLOAT32);
  start.mutable_start()->set_sample_rate_hertz(32000);
  EXPECT_TRUE(stream->Write(start));
  v1::StreamEmbeddingsRequest second;
  second.set_samples(std::string(4 * 32000, '\0'));
  // Beside the reading: who is told to end reads no more.
  std::thread writing([&] {
    for (int i = 0; i < 4; ++i) stream->Write(second);
    stream->WritesDone();
  });
  v1::StreamEmbeddingsResponse response;
  int rows = 0;
  while (stream->Read(&response)) rows += response.timestamps().embeddings().rows();
  writing.join();
  const Failure over = Describe(stream->Finish(), context);
  ASSERT_EQ(over.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << over.status.error_message();
  EXPECT_EQ(over.reason, "CALLER_LIMIT");
  EXPECT_EQ(over.facts.at("limit"), "audio_seconds");
  EXPECT_TRUE(over.facts.contains("resume_sample"));
  EXPECT_GT(rows, 0) << "what it had taken is answered";
}

TEST(DoorTest, ComesBeforeTheStateOfTheServer) {
  ServiceHarness::Options options = Closed(Sha256Of("secret") + " ingest");
  options.open = false;
  ServiceHarness harness(std::move(options));
  EXPECT_EQ(Tags(&harness, "").reason, "TOKEN_MISSING");
  EXPECT_EQ(Tags(&harness, "Bearer secret").reason, "STARTING");
}

}  // namespace
}  // namespace hearwire
