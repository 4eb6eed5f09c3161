// What good requests are answered.

#include "server/rpc/embedding_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "models/configs/audioset.h"
#include "models/log_mel/clip_windows.h"
#include "server/rpc/float16.h"
#include "tests/server/rpc/service_harness.h"

namespace hearwire {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using SceneRequest = v1::GetSceneEmbeddingsRequest;
using TimestampsRequest = v1::GetTimestampEmbeddingsRequest;

std::vector<float> Values(const v1::Matrix& matrix) {
  std::vector<float> values(matrix.data().size() / 4);
  std::memcpy(values.data(), matrix.data().data(), matrix.data().size());
  return values;
}

std::vector<float> SamplesOf(const v1::Audio& clip) {
  std::vector<float> samples(clip.pcm().samples().size() / 4);
  std::memcpy(samples.data(), clip.pcm().samples().data(), clip.pcm().samples().size());
  return samples;
}

// What the fake backend answers for a clip of one window.
std::vector<float> FakeScene(const v1::Audio& clip, const Readout& readout, int size) {
  const ClipWindows windows = MakeSceneWindows(SamplesOf(clip), MelSettings{}).value();
  std::vector<float> row(size);
  FakeRow(0, windows.windows[0], readout, absl::MakeSpan(row));
  return row;
}

template <typename Response, typename Method, typename Request>
Response Answer(ServiceHarness* harness, Method method, const Request& request) {
  grpc::ClientContext context;
  Response response;
  const grpc::Status status = ((*harness->NewStub()).*method)(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}
v1::GetSceneEmbeddingsResponse Scene(ServiceHarness* harness, const SceneRequest& request) {
  return Answer<v1::GetSceneEmbeddingsResponse>(harness, &v1::EmbeddingService::Stub::GetSceneEmbeddings, request);
}
v1::GetTimestampEmbeddingsResponse Timestamps(ServiceHarness* harness, const TimestampsRequest& request) {
  return Answer<v1::GetTimestampEmbeddingsResponse>(harness, &v1::EmbeddingService::Stub::GetTimestampEmbeddings,
                                                    request);
}
v1::GetTagsResponse GetTags(ServiceHarness* harness, const v1::GetTagsRequest& request) {
  return Answer<v1::GetTagsResponse>(harness, &v1::EmbeddingService::Stub::GetTags, request);
}
v1::ListConfigsResponse ListConfigs(ServiceHarness* harness, const v1::ListConfigsRequest& request) {
  return Answer<v1::ListConfigsResponse>(harness, &v1::EmbeddingService::Stub::ListConfigs, request);
}

TEST(EmbeddingServiceTest, GivesOneSceneEmbeddingPerClipInOrder) {
  ServiceHarness harness;
  const std::vector<v1::Audio> clips = {ToneClip(1, 300), ToneClip(0.3, 500), ToneClip(2, 700)};
  const auto response = Scene(&harness, RequestFor<SceneRequest>(clips));
  const Config& config = *FindConfig(kEmbeddedConfigName);
  EXPECT_EQ(response.embeddings().rows(), 3u);
  EXPECT_EQ(response.embeddings().columns(), 184u);
  EXPECT_EQ(response.embeddings().element_type(), v1::ELEMENT_TYPE_FLOAT32);
  std::vector<float> expected;
  for (const v1::Audio& clip : clips) {
    const std::vector<float> row = FakeScene(clip, config.readout, 184);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  EXPECT_EQ(Values(response.embeddings()), expected);
  EXPECT_EQ(response.space().config(), kEmbeddedConfigName);
  EXPECT_EQ(response.space().weights_sha256(), config.network->sha256);
  EXPECT_EQ(response.space().frontend(), kFrontendVersion);
  EXPECT_EQ(response.space().precision(), "float32");
  EXPECT_GT(response.timings().decode_ns(), 0u);
  EXPECT_GE(response.timings().total_ns(), response.timings().inference_ns());
}

TEST(EmbeddingServiceTest, GivesTimestampsEvery50Milliseconds) {
  ServiceHarness harness;
  const auto response = Timestamps(&harness, RequestFor<TimestampsRequest>({ToneClip(0.2, 300), ToneClip(0.1, 600)}));
  ASSERT_EQ(response.clips_size(), 2);
  EXPECT_THAT(response.clips(0).timestamps_ms(), ElementsAre(0, 50, 100, 150, 200));
  EXPECT_THAT(response.clips(1).timestamps_ms(), ElementsAre(0, 50, 100));
  EXPECT_EQ(response.clips(0).embeddings().rows(), 5u);
  EXPECT_EQ(response.clips(1).embeddings().rows(), 3u);
  const auto alone = Timestamps(&harness, RequestFor<TimestampsRequest>({ToneClip(0.1, 600)}));
  EXPECT_EQ(response.clips(1).embeddings().data(), alone.clips(0).embeddings().data());
  EXPECT_NE(response.clips(0).embeddings().data(), alone.clips(0).embeddings().data());
}

TEST(EmbeddingServiceTest, GivesTheMostProbableTagsFirst) {
  ServiceHarness harness;
  auto request = RequestFor<v1::GetTagsRequest>({ToneClip(1), ToneClip(0.5)});
  request.set_top_k(4);
  const auto response = GetTags(&harness, request);
  ASSERT_EQ(response.clips_size(), 2);
  // The fake's logits repeat every five classes; which of the five is largest depends on their sign.
  Readout logits;
  logits.features.Add(Feature::kLogits);
  const std::vector<float> row = FakeScene(ToneClip(1), logits, kAudioSetClassCount);
  const int best = static_cast<int>(std::max_element(row.begin(), row.begin() + 5) - row.begin());
  ASSERT_EQ(response.clips(0).tags_size(), 4);
  for (int i = 0; i < 4; ++i) {
    const v1::Tag& tag = response.clips(0).tags(i);
    EXPECT_EQ(tag.index(), static_cast<uint32_t>(best + 5 * i));
    EXPECT_EQ(tag.name(), AudioSetClassNames()[tag.index()]);
    EXPECT_FLOAT_EQ(tag.probability(), 1 / (1 + std::exp(-row[best])));
  }
  EXPECT_EQ(response.space().config(), "");
  EXPECT_NE(response.space().weights_sha256(), "");
}

TEST(EmbeddingServiceTest, GivesAllTagsWhenNotToldHowMany) {
  ServiceHarness harness;
  auto request = RequestFor<v1::GetTagsRequest>({ToneClip(1)});
  EXPECT_EQ(GetTags(&harness, request).clips(0).tags_size(), kAudioSetClassCount);
  request.set_top_k(4'000'000'000);
  EXPECT_EQ(GetTags(&harness, request).clips(0).tags_size(), kAudioSetClassCount);
}

TEST(EmbeddingServiceTest, SendsFloat16WhenAskedTo) {
  ServiceHarness harness;
  SceneRequest request = RequestFor<SceneRequest>({ToneClip(1)});
  const std::vector<float> full = Values(Scene(&harness, request).embeddings());
  request.set_element_type(v1::ELEMENT_TYPE_FLOAT16);
  const v1::Matrix half = Scene(&harness, request).embeddings();
  EXPECT_EQ(half.element_type(), v1::ELEMENT_TYPE_FLOAT16);
  ASSERT_EQ(half.data().size(), full.size() * 2);
  for (size_t i = 0; i < full.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, &half.data()[2 * i], 2);
    EXPECT_EQ(bits, ToFloat16(full[i]));
  }
}

TEST(EmbeddingServiceTest, TellsItsLimits) {
  ServiceHarness::Options options;
  options.service.max_message_bytes = 1'000'000;
  options.service.max_reply_bytes = 2'000'000;
  options.service.max_clips = 3;
  options.service.max_decoded = absl::Milliseconds(1500);
  options.service.max_deadline = absl::Seconds(7);
  options.service.streams.max_piece_bytes = 5000;
  ServiceHarness harness(options);
  const v1::Limits limits = ListConfigs(&harness, {}).limits();
  EXPECT_EQ(limits.max_message_bytes(), 1'000'000u);
  EXPECT_EQ(limits.max_reply_bytes(), 2'000'000u);
  EXPECT_EQ(limits.max_clips(), 3u);
  EXPECT_EQ(limits.max_decoded_seconds(), 1.5);
  EXPECT_EQ(limits.max_deadline_seconds(), 7);
  EXPECT_EQ(limits.max_piece_bytes(), 5000u);
}

TEST(EmbeddingServiceTest, ListsEveryConfigWithHearsAttributes) {
  ServiceHarness harness;
  const auto all = ListConfigs(&harness, {});
  ASSERT_EQ(all.configs_size(), static_cast<int>(Configs().size()));
  int loaded = 0;
  for (const v1::Config& config : all.configs()) {
    const Config& known = *FindConfig(config.name());
    EXPECT_EQ(config.network(), known.network->name);
    EXPECT_EQ(config.sample_rate(), 32000u);
    EXPECT_EQ(config.scene_embedding_size(), static_cast<uint32_t>(known.embedding_size()));
    EXPECT_EQ(config.timestamp_embedding_size(), static_cast<uint32_t>(known.embedding_size()));
    EXPECT_EQ(config.timestamp_window_ms() * 32, known.timestamp_window_samples);
    EXPECT_EQ(config.timestamp_hop_ms(), 50);
    EXPECT_EQ(config.min_scene_samples(), 514u);
    EXPECT_EQ(config.min_timestamp_samples(), static_cast<uint64_t>(known.timestamp_window_samples / 2 + 1));
    EXPECT_EQ(config.is_default(), config.name() == kEmbeddedConfigName);
    EXPECT_EQ(config.has_space(), config.loaded());
    if (config.loaded()) ++loaded;
  }
  EXPECT_EQ(loaded, 1);
  v1::ListConfigsRequest loaded_only;
  loaded_only.set_loaded_only(true);
  const auto served = ListConfigs(&harness, loaded_only);
  ASSERT_EQ(served.configs_size(), 1);
  EXPECT_EQ(served.configs(0).name(), kEmbeddedConfigName);
  EXPECT_EQ(served.configs(0).space().config(), kEmbeddedConfigName);
  EXPECT_EQ(harness.metrics.count("call ListConfigs  OK"), 2);
}

TEST(EmbeddingServiceTest, KeepsASaneRequestIdAndMakesOneOtherwise) {
  ServiceHarness harness;
  const auto id_of_call = [&](const char* sent) {
    grpc::ClientContext context;
    if (sent != nullptr) context.AddMetadata("x-request-id", sent);
    v1::ListConfigsResponse response;
    EXPECT_TRUE(harness.NewStub()->ListConfigs(&context, {}, &response).ok());
    return Describe(grpc::Status::OK, context).request_id.value_or("");
  };
  EXPECT_EQ(id_of_call("abc-123"), "abc-123");
  EXPECT_THAT(id_of_call(nullptr), SizeIs(32));
  EXPECT_THAT(id_of_call("with spaces"), SizeIs(32));
  EXPECT_EQ(harness.WaitForRecords(3)[0].request_id, "abc-123");
}

TEST(EmbeddingServiceTest, RecordsEveryCall) {
  ServiceHarness harness;
  Scene(&harness, RequestFor<SceneRequest>({ToneClip(1), ToneClip(0.5)}));
  const KeptRecord record = harness.WaitForRecords(1)[0];
  EXPECT_EQ(record.method, "GetSceneEmbeddings");
  EXPECT_EQ(record.config, kEmbeddedConfigName);
  EXPECT_TRUE(record.status.ok());
  EXPECT_EQ(record.clips, 2);
  EXPECT_EQ(record.audio, absl::Milliseconds(1500));
  EXPECT_GT(record.total, absl::ZeroDuration());
  EXPECT_NE(record.peer, "");
  EXPECT_EQ(harness.metrics.count("call GetSceneEmbeddings hearwire_mn01_all_b_mel_avgs OK"), 1);
  GetTags(&harness, RequestFor<v1::GetTagsRequest>({ToneClip(1)}));
  EXPECT_EQ(harness.metrics.count("call GetTags hearwire_mn01 OK"), 1);
}

TEST(EmbeddingServiceTest, RecordsWhyACallFailed) {
  ServiceHarness harness;
  SceneFailure(&harness, RequestFor<SceneRequest>({ToneClip(0.5)}));
  SceneFailure(&harness, SceneRequest());                               // Refused by the service.
  SceneFailure(&harness, RequestFor<SceneRequest>({ToneClip(0.001)}));  // Refused by the pipeline.
  const std::vector<KeptRecord> records = harness.WaitForRecords(3);
  EXPECT_EQ(records[0].reason, "");
  EXPECT_EQ(records[1].reason, "INVALID_REQUEST");
  EXPECT_EQ(records[2].reason, "INVALID_AUDIO");
}

// 32 callers at once, of all kinds and many lengths, get bit for bit what each gets alone.
TEST(EmbeddingServiceTest, GivesCallersInCompanyWhatTheyGetAlone) {
  BatcherOptions two_workers;
  two_workers.workers = 2;
  ServiceHarness harness({.batcher = two_workers});
  const auto ask = [&](int caller) -> std::string {
    const std::vector<v1::Audio> clips = {ToneClip(0.2 + 0.13 * caller, 200 + 10 * caller),
                                          ToneClip(caller % 5 == 0 ? 11 : 0.4, 900 - 10 * caller)};
    std::string data;
    if (caller % 3 == 0) {
      data = Scene(&harness, RequestFor<SceneRequest>(clips)).embeddings().data();
    } else if (caller % 3 == 1) {
      const auto response = Timestamps(&harness, RequestFor<TimestampsRequest>(clips));
      for (const auto& clip : response.clips()) {
        data += clip.embeddings().data();
      }
    } else {
      v1::GetTagsResponse response = GetTags(&harness, RequestFor<v1::GetTagsRequest>(clips));
      response.clear_timings();
      data = response.SerializeAsString();
    }
    return data;
  };
  constexpr int kCallers = 32;
  std::vector<std::string> alone(kCallers), together(kCallers);
  for (int i = 0; i < kCallers; ++i) alone[i] = ask(i);
  EXPECT_EQ(harness.metrics.most_calls_in_a_batch(), 1);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) callers.emplace_back([&, i] { together[i] = ask(i); });
  for (std::thread& caller : callers) caller.join();
  for (int i = 0; i < kCallers; ++i) {
    EXPECT_THAT(alone[i], Not(IsEmpty()));
    EXPECT_TRUE(together[i] == alone[i]) << "caller " << i;
  }
  EXPECT_GT(harness.metrics.most_calls_in_a_batch(), 1);
}

}  // namespace
}  // namespace hearwire
