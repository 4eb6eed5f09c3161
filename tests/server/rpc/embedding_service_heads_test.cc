// What is answered about heads, and by them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "models/heads/head_scores.h"
#include "models/log_mel/clip_windows.h"
#include "server/rpc/embedding_service.h"
#include "tests/server/rpc/service_harness.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const int kEmbeddingSize = FindConfig(kEmbeddedConfigName)->embedding_size();

HeadFile MakeHead(std::vector<int> sizes, uint32_t seed = 1) {
  sizes.insert(sizes.begin(), kEmbeddingSize);
  return MakeHeadFile(kEmbeddedConfigName, sizes, seed);
}

HeadFile MakeTimestampHead(std::vector<int> sizes, uint32_t seed = 1) {
  HeadFile head = MakeHead(std::move(sizes), seed);
  head.metadata["kind"] = "timestamps";
  return head;
}

v1::ListHeadsResponse ListHeads(ServiceHarness* harness) {
  grpc::ClientContext context;
  v1::ListHeadsResponse response;
  const grpc::Status status = harness->NewStub()->ListHeads(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

TEST(ServiceHeadsTest, AreListedByName) {
  HeadFile birds = MakeTimestampHead({3});
  birds.metadata["output"] = "sigmoid";
  birds.metadata["labels"] = R"(["wren", "owl", "tit"])";
  ServiceHarness harness({.heads = {{"birds", birds}, {"Alarms", MakeHead({8, 2})}}});
  const v1::ListHeadsResponse listed = ListHeads(&harness);
  ASSERT_THAT(listed.heads(), SizeIs(2));
  const v1::Head& first = listed.heads(0);
  EXPECT_EQ(first.name(), "Alarms");
  EXPECT_EQ(first.kind(), v1::HEAD_KIND_SCENE);
  EXPECT_THAT(first.labels(), ElementsAre("label 0", "label 1"));
  EXPECT_FALSE(first.multi_label());
  const v1::Head& second = listed.heads(1);
  EXPECT_EQ(second.name(), "birds");
  EXPECT_EQ(second.config(), kEmbeddedConfigName);
  EXPECT_EQ(second.kind(), v1::HEAD_KIND_TIMESTAMPS);
  EXPECT_THAT(second.labels(), ElementsAre("wren", "owl", "tit"));
  EXPECT_TRUE(second.multi_label());
  EXPECT_EQ(second.space().config(), kEmbeddedConfigName);
  EXPECT_EQ(second.space().weights_sha256(), FindNetwork(kEmbeddedNetworkName)->sha256);
  EXPECT_EQ(second.space().frontend(), kFrontendVersion);
  EXPECT_EQ(second.space().precision(), "float32");
  EXPECT_THAT(second.sha256(), SizeIs(64));
  EXPECT_EQ(harness.metrics.count("call ListHeads  OK"), 1);
}

TEST(ServiceHeadsTest, AreNoneWithoutAFolder) {
  ServiceHarness harness;
  EXPECT_THAT(ListHeads(&harness).heads(), IsEmpty());
}

TEST(ServiceHeadsTest, AreNotListedWhileItDrains) {
  ServiceHarness harness;
  harness.service->BeginDrain(0);
  grpc::ClientContext context;
  v1::ListHeadsResponse response;
  EXPECT_EQ(harness.NewStub()->ListHeads(&context, {}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
}

v1::ClassifyRequest Request(const std::vector<std::string>& heads, const std::vector<v1::Audio>& clips) {
  auto request = RequestFor<v1::ClassifyRequest>(clips);
  for (const std::string& head : heads) request.add_heads(head);
  return request;
}

v1::ClassifyResponse Classify(ServiceHarness* harness, const v1::ClassifyRequest& request) {
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status status = harness->NewStub()->Classify(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

Failure ClassifyFailure(ServiceHarness* harness, const v1::ClassifyRequest& request) {
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  return Describe(harness->NewStub()->Classify(&context, request, &response), context);
}

std::vector<float> Values(const v1::Matrix& matrix) {
  std::vector<float> values(matrix.data().size() / 4);
  std::memcpy(values.data(), matrix.data().data(), matrix.data().size());
  return values;
}

// What the head must answer for this embedding, best first: index and score.
std::vector<std::pair<uint32_t, float>> Expected(const HeadFile& file, absl::Span<const float> embedding) {
  const Head head = ParseHead(file.Bytes(), "expected").value();
  std::vector<float> scores(head.labels.size());
  HeadWorkspace workspace;
  ComputeHeadScores(head, {embedding.data(), 1, embedding.size()}, &workspace, absl::MakeSpan(scores));
  std::vector<std::pair<uint32_t, float>> labels;
  for (uint32_t i = 0; i < scores.size(); ++i) labels.emplace_back(i, scores[i]);
  std::stable_sort(labels.begin(), labels.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return labels;
}

template <typename Labels>
std::vector<std::pair<uint32_t, float>> Answered(const Labels& labels) {
  std::vector<std::pair<uint32_t, float>> answered;
  for (const v1::Label& label : labels) answered.emplace_back(label.index(), label.score());
  return answered;
}

// Windows that the backend has computed so far.
int ComputedWindows(const ServiceHarness& harness) {
  int windows = 0;
  for (const FakeBatch& batch : harness.backend.batches()) windows += batch.windows;
  return windows;
}

TEST(ServiceHeadsTest, AnswerWhatTheyMakeOfTheSceneEmbedding) {
  const HeadFile linear = MakeHead({3}, 1);
  HeadFile deep = MakeHead({8, 5}, 2);
  deep.metadata["output"] = "sigmoid";
  ServiceHarness harness({.heads = {{"linear", linear}, {"deep", deep}}});
  // Of several windows, and of one.
  const std::vector<v1::Audio> clips = {ToneClip(16, 300), ToneClip(0.5, 700)};
  const v1::ClassifyResponse response = Classify(&harness, Request({"linear", "deep"}, clips));
  grpc::ClientContext context;
  v1::GetSceneEmbeddingsResponse scenes;
  ASSERT_TRUE(
      harness.NewStub()->GetSceneEmbeddings(&context, RequestFor<v1::GetSceneEmbeddingsRequest>(clips), &scenes).ok());
  const std::vector<float> rows = Values(scenes.embeddings());
  ASSERT_THAT(response.clips(), SizeIs(2));
  for (int clip = 0; clip < 2; ++clip) {
    const auto row = absl::MakeConstSpan(rows).subspan(static_cast<size_t>(clip * kEmbeddingSize),
                                                       static_cast<size_t>(kEmbeddingSize));
    ASSERT_THAT(response.clips(clip).heads(), SizeIs(2));
    const v1::HeadAnswer& first = response.clips(clip).heads(0);
    EXPECT_EQ(first.head(), "linear");
    EXPECT_EQ(Answered(first.labels()), Expected(linear, row));
    EXPECT_EQ(first.labels(0).name(), "label " + std::to_string(first.labels(0).index()));
    EXPECT_THAT(first.rows(), IsEmpty());
    const v1::HeadAnswer& second = response.clips(clip).heads(1);
    EXPECT_EQ(second.head(), "deep");
    EXPECT_EQ(Answered(second.labels()), Expected(deep, row));
  }
  EXPECT_GT(response.timings().total_ns(), 0u);
  EXPECT_GT(response.timings().inference_ns(), 0u);
}

TEST(ServiceHeadsTest, AnswerWhatTheyMakeOfTimestamps) {
  const HeadFile head = MakeTimestampHead({4});
  ServiceHarness harness({.heads = {{"rows", head}}});
  const std::vector<v1::Audio> clips = {ToneClip(0.4, 300), ToneClip(1.3, 700)};
  const v1::ClassifyResponse response = Classify(&harness, Request({"rows"}, clips));
  grpc::ClientContext context;
  v1::GetTimestampEmbeddingsResponse timestamps;
  ASSERT_TRUE(harness.NewStub()
                  ->GetTimestampEmbeddings(&context, RequestFor<v1::GetTimestampEmbeddingsRequest>(clips), &timestamps)
                  .ok());
  for (int clip = 0; clip < 2; ++clip) {
    const v1::HeadAnswer& answer = response.clips(clip).heads(0);
    const v1::TimestampEmbeddings& embeddings = timestamps.clips(clip);
    const std::vector<float> rows = Values(embeddings.embeddings());
    EXPECT_THAT(answer.labels(), IsEmpty());
    ASSERT_EQ(answer.rows_size(), embeddings.timestamps_ms_size());
    for (int i = 0; i < answer.rows_size(); ++i) {
      EXPECT_EQ(answer.rows(i).timestamp_ms(), embeddings.timestamps_ms(i));
      const auto row = absl::MakeConstSpan(rows).subspan(static_cast<size_t>(i * kEmbeddingSize),
                                                         static_cast<size_t>(kEmbeddingSize));
      EXPECT_EQ(Answered(answer.rows(i).labels()), Expected(head, row));
      EXPECT_EQ(answer.rows(i).labels(0).name(), "") << "rows leave names out";
    }
  }
}

TEST(ServiceHeadsTest, ShareOnePassOfTheNetwork) {
  ServiceHarness harness({.heads = {{"a", MakeHead({3}, 1)},
                                    {"b", MakeHead({4}, 2)},
                                    {"c", MakeHead({5}, 3)},
                                    {"d", MakeTimestampHead({3}, 4)},
                                    {"e", MakeTimestampHead({3}, 5)}}});
  const int before = ComputedWindows(harness);
  Classify(&harness, Request({"a", "b", "c"}, {ToneClip(0.5)}));
  EXPECT_EQ(ComputedWindows(harness) - before, 1);
  const int rows = Classify(&harness, Request({"d"}, {ToneClip(0.5)})).clips(0).heads(0).rows_size();
  const int one = ComputedWindows(harness);
  Classify(&harness, Request({}, {ToneClip(0.5)}));
  EXPECT_EQ(ComputedWindows(harness) - one, 1 + rows);
}

TEST(ServiceHeadsTest, AnswerInTheOrderOfTheRequestAndAllByName) {
  ServiceHarness harness({.heads = {{"b", MakeHead({3})}, {"a", MakeTimestampHead({3})}, {"c", MakeHead({3})}}});
  const auto names = [&](const std::vector<std::string>& heads) {
    std::vector<std::string> answered;
    const v1::ClassifyResponse response = Classify(&harness, Request(heads, {ToneClip(0.3)}));
    for (const v1::HeadAnswer& answer : response.clips(0).heads()) {
      answered.push_back(answer.head());
    }
    return answered;
  };
  EXPECT_THAT(names({"c", "a", "b"}), ElementsAre("c", "a", "b"));
  EXPECT_THAT(names({"b"}), ElementsAre("b"));
  EXPECT_THAT(names({}), ElementsAre("a", "b", "c"));
}

TEST(ServiceHeadsTest, AnswerTheBestLabelsAlone) {
  ServiceHarness harness({.heads = {{"scene", MakeHead({6})}, {"rows", MakeTimestampHead({6})}}});
  const v1::ClassifyRequest whole = Request({"scene", "rows"}, {ToneClip(0.3)});
  const v1::HeadAnswers all = Classify(&harness, whole).clips(0);
  EXPECT_THAT(all.heads(0).labels(), SizeIs(6));
  for (const uint32_t top_k : {1u, 4u, 6u, 7u, 4294967295u}) {
    v1::ClassifyRequest request = whole;
    request.set_top_k(top_k);
    const v1::HeadAnswers best = Classify(&harness, request).clips(0);
    const size_t count = std::min<size_t>(top_k, 6);
    auto expected = Answered(all.heads(0).labels());
    expected.resize(count);
    EXPECT_EQ(Answered(best.heads(0).labels()), expected);
    for (const v1::LabelRow& row : best.heads(1).rows()) EXPECT_THAT(row.labels(), SizeIs(count));
  }
}

TEST(ServiceHeadsTest, AreRefusedByNameWhenTheyAreNotKnown) {
  ServiceHarness harness({.heads = {{"birds", MakeHead({3})}, {"alarms", MakeHead({3})}}});
  const Failure failure = ClassifyFailure(&harness, Request({"alarms", "brids"}, {ToneClip(0.3)}));
  EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(failure.reason, "UNKNOWN_HEAD");
  EXPECT_EQ(failure.field, "heads[1]");
  EXPECT_THAT(failure.status.error_message(),
              HasSubstr("no head is called \"brids\"; the nearest is birds; ListHeads"));
  EXPECT_EQ(harness.metrics.count("call Classify  NOT_FOUND"), 1);
}

TEST(ServiceHeadsTest, AreRefusedWhenTheyAreNamedTwice) {
  ServiceHarness harness({.heads = {{"a", MakeHead({3})}, {"b", MakeHead({3})}}});
  const Failure failure = ClassifyFailure(&harness, Request({"a", "b", "a"}, {ToneClip(0.3)}));
  EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(failure.reason, "INVALID_REQUEST");
  EXPECT_EQ(failure.field, "heads[2]");
  EXPECT_THAT(failure.status.error_message(), HasSubstr("a is named by heads[0] already"));
}

TEST(ServiceHeadsTest, CannotAnswerWhereNoneAreLoaded) {
  ServiceHarness harness;
  for (const std::vector<std::string>& heads : {std::vector<std::string>{}, {"birds"}}) {
    const Failure failure = ClassifyFailure(&harness, Request(heads, {ToneClip(0.3)}));
    EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(failure.reason, "NO_HEADS");
    EXPECT_THAT(failure.status.error_message(), HasSubstr("--heads DIR"));
  }
}

TEST(ServiceHeadsTest, AnswerAllClipsOrNone) {
  ServiceHarness::Options options;
  options.service.max_clips = 3;
  options.heads = {{"a", MakeHead({3})}, {"rows", MakeTimestampHead({3})}};
  ServiceHarness harness(options);
  const auto refused = [&](const std::vector<std::string>& heads, const std::vector<v1::Audio>& clips) {
    const Failure failure = ClassifyFailure(&harness, Request(heads, clips));
    EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return failure.field + ": " + failure.status.error_message();
  };
  EXPECT_THAT(refused({"a"}, {}), HasSubstr("clips: "));
  EXPECT_THAT(refused({"a"}, {ToneClip(0.3), ToneClip(0.3), ToneClip(0.3), ToneClip(0.3)}), HasSubstr("at most 3"));
  EXPECT_THAT(refused({"a"}, {ToneClip(0.3), v1::Audio()}), HasSubstr("clips[1]: "));
  EXPECT_THAT(refused({"a"}, {ToneClip(0.3), ToneClip(0.01)}), HasSubstr("clips[1].pcm.samples: "));
  // Long enough for one head and not for the other.
  Classify(&harness, Request({"a"}, {ToneClip(0.05)}));
  EXPECT_THAT(refused({"a", "rows"}, {ToneClip(0.05)}), HasSubstr("clips[0].pcm.samples: "));
}

TEST(ServiceHeadsTest, HaveTheirReplyReserved) {
  ServiceHarness harness({.pipeline = {.max_reply_bytes = 15'000}, .heads = {{"rows", MakeTimestampHead({10})}}});
  const auto request = Request({"rows"}, {ToneClip(5)});
  const Failure failure = ClassifyFailure(&harness, request);
  EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(failure.reason, "REPLY_TOO_LARGE");
  v1::ClassifyRequest best = request;
  best.set_top_k(1);
  EXPECT_EQ(Classify(&harness, best).clips(0).heads(0).rows_size(), 101);
}

TEST(ServiceHeadsTest, AreCountedAndLoggedUnderTheirNetwork) {
  ServiceHarness harness({.heads = {{"a", MakeHead({3})}, {"b", MakeHead({3})}}});
  Classify(&harness, Request({}, {ToneClip(0.3), ToneClip(0.2)}));
  EXPECT_EQ(harness.metrics.count("call Classify hearwire_mn01 OK"), 1);
  const KeptRecord record = harness.WaitForRecords(1).at(0);
  EXPECT_EQ(record.method, "Classify");
  EXPECT_EQ(record.config, "hearwire_mn01");
  EXPECT_EQ(record.clips, 2);
  EXPECT_EQ(record.audio, absl::Milliseconds(500));
}

TEST(ServiceHeadsTest, AnswerNobodyBeforeAndAfterServing) {
  ServiceHarness harness({.heads = {{"a", MakeHead({3})}}, .open = false});
  EXPECT_EQ(ClassifyFailure(&harness, Request({}, {ToneClip(0.3)})).reason, "STARTING");
  harness.service->Open();
  Classify(&harness, Request({}, {ToneClip(0.3)}));
  harness.service->BeginDrain(0);
  EXPECT_EQ(ClassifyFailure(&harness, Request({}, {ToneClip(0.3)})).reason, "SHUTTING_DOWN");
}

}  // namespace
}  // namespace hearwire
