#include "load/workload.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hearwire/v1/embedding.pb.h"

namespace hearwire::load {
namespace {

using ::testing::HasSubstr;

std::vector<client::ConfigInfo> Served() {
  client::ConfigInfo a, b, absent;
  a.name = "a";
  a.network = "net_a";
  a.loaded = true;
  a.is_default = true;
  b.name = "b";
  b.network = "net_b";
  b.loaded = true;
  absent.name = "c";
  absent.network = "net_c";
  return {a, b, absent};
}

template <typename Message>
Message Read(const PreparedCall& call) {
  std::string bytes;
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(call.body.Dump(&slices).ok());
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  Message message;
  EXPECT_TRUE(message.ParseFromString(bytes));
  EXPECT_EQ(static_cast<int64_t>(bytes.size()), call.bytes);
  return message;
}

TEST(WorkloadTest, WritesRequestsThatTheProtoReads) {
  const auto workload = Workload::Create({.kinds = {{CallKind::kTimestamps}},
                                          .configs = {{"b"}},
                                          .lengths = *ClipLengths::Parse("0.5"),
                                          .clips_per_call = 3},
                                         Served());
  ASSERT_TRUE(workload.ok()) << workload.status();
  std::mt19937_64 random(1);
  const PreparedCall& call = workload->Pick(random);
  EXPECT_EQ(call.path, "/hearwire.v1.EmbeddingService/GetTimestampEmbeddings");
  EXPECT_EQ(call.config, "b");
  EXPECT_DOUBLE_EQ(call.audio_seconds, 1.5);
  EXPECT_DOUBLE_EQ(workload->MeanAudioSeconds(), 1.5);
  const auto request = Read<v1::GetTimestampEmbeddingsRequest>(call);
  EXPECT_EQ(request.config(), "b");
  ASSERT_EQ(request.clips_size(), 3);
  EXPECT_EQ(request.clips(0).pcm().encoding(), v1::Pcm::ENCODING_LINEAR16);
  EXPECT_EQ(request.clips(0).pcm().sample_rate_hertz(), 32000u);
  EXPECT_EQ(request.clips(0).pcm().samples().size(), 16000u * 2);
  EXPECT_NE(request.clips(0).pcm().samples(), request.clips(1).pcm().samples());
}

TEST(WorkloadTest, LabelsCallsAsTheServersMetricsDo) {
  const auto label = [](CallKind kind, const std::string& config) {
    const auto workload = Workload::Create({.kinds = {{kind}}, .configs = {{config}}}, Served());
    std::mt19937_64 random(1);
    return workload->Pick(random).config;
  };
  EXPECT_EQ(label(CallKind::kScene, ""), "a");
  EXPECT_EQ(label(CallKind::kScene, "b"), "b");
  EXPECT_EQ(label(CallKind::kScene, "c"), "unknown");
  EXPECT_EQ(label(CallKind::kScene, "no such"), "unknown");
  EXPECT_EQ(label(CallKind::kTags, ""), "net_a");
  EXPECT_EQ(label(CallKind::kTags, "b"), "net_b");
  EXPECT_EQ(label(CallKind::kConfigs, "b"), "");
}

TEST(WorkloadTest, MixesAsTheWeightsSay) {
  const auto workload =
      Workload::Create({.kinds = {{CallKind::kScene, 3}, {CallKind::kTags, 1}, {CallKind::kConfigs, 4}},
                        .configs = {{"a", 1}, {"b", 3}},
                        .lengths = *ClipLengths::Parse("0.1")},
                       Served());
  ASSERT_TRUE(workload.ok()) << workload.status();
  std::mt19937_64 random(1);
  std::map<std::string, int> counts;
  for (int i = 0; i < 20000; ++i) {
    const PreparedCall& call = workload->Pick(random);
    ++counts[call.method + " " + call.config];
  }
  // Of 20 parts: scenes 3 and 9, tags 1 and 3, configs 4.
  EXPECT_NEAR(counts["GetSceneEmbeddings a"], 3000, 250);
  EXPECT_NEAR(counts["GetSceneEmbeddings b"], 9000, 400);
  EXPECT_NEAR(counts["GetTags net_a"], 1000, 150);
  EXPECT_NEAR(counts["GetTags net_b"], 3000, 250);
  EXPECT_NEAR(counts["ListConfigs "], 4000, 300);
}

TEST(WorkloadTest, SaysWhichFileCannotBeRead) {
  const auto workload = Workload::Create({.files = {"/no/such.wav"}}, Served());
  EXPECT_THAT(std::string(workload.status().message()), HasSubstr("/no/such.wav"));
}

TEST(WorkloadTest, RefusesRequestsThatFillTheMemory) {
  const auto workload = Workload::Create({.lengths = *ClipLengths::Parse("3600"), .clips_per_call = 8}, Served());
  EXPECT_EQ(workload.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace hearwire::load
