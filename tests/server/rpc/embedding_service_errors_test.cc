// What bad requests, and good ones in bad times, are answered.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <future>
#include <limits>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "server/concurrency/steady_time.h"
#include "server/rpc/embedding_service.h"
#include "server/rpc/read_message.h"
#include "tests/server/rpc/service_harness.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Optional;

using SceneRequest = v1::GetSceneEmbeddingsRequest;

SceneRequest TwoClips() { return RequestFor<SceneRequest>({ToneClip(0.5), ToneClip(0.5)}); }

struct BadRequestCase {
  const char* what;
  std::function<void(SceneRequest*)> spoil;
  grpc::StatusCode code;
  const char* reason;
  const char* field;
  const char* message;
};

void SetSample(v1::Audio* clip, size_t place, float value) {
  std::memcpy(&(*clip->mutable_pcm()->mutable_samples())[4 * place], &value, 4);
}

const std::vector<BadRequestCase>& BadRequests() {
  using grpc::StatusCode;
  static const auto* const cases = new std::vector<BadRequestCase>{
      {"no clips", [](auto* request) { request->clear_clips(); }, StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST",
       "clips", "at least one"},
      {"too many clips",
       [](auto* request) {
         while (request->clips_size() < 9) *request->add_clips() = request->clips(0);
       },
       StatusCode::INVALID_ARGUMENT, "TOO_MANY_CLIPS", "clips", "at most 8"},
      {"a clip without audio", [](auto* request) { request->mutable_clips(1)->Clear(); }, StatusCode::INVALID_ARGUMENT,
       "INVALID_AUDIO", "clips[1]", "no audio"},
      {"no encoding", [](auto* request) { request->mutable_clips(1)->mutable_pcm()->clear_encoding(); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.encoding", "encoding"},
      {"an unknown encoding",
       [](auto* request) { request->mutable_clips(1)->mutable_pcm()->set_encoding(static_cast<v1::Pcm::Encoding>(9)); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.encoding", "9"},
      {"no rate", [](auto* request) { request->mutable_clips(1)->mutable_pcm()->clear_sample_rate_hertz(); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.sample_rate_hertz", "1000"},
      {"a rate too high",
       [](auto* request) { request->mutable_clips(1)->mutable_pcm()->set_sample_rate_hertz(384001); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.sample_rate_hertz", "384000"},
      {"too many channels", [](auto* request) { request->mutable_clips(1)->mutable_pcm()->set_channel_count(33); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.channel_count", "32"},
      {"no samples", [](auto* request) { request->mutable_clips(1)->mutable_pcm()->clear_samples(); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.samples", ""},
      {"a torn sample",
       [](auto* request) { request->mutable_clips(1)->mutable_pcm()->mutable_samples()->push_back('x'); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.samples", "4"},
      {"NaN", [](auto* request) { SetSample(request->mutable_clips(1), 100, NAN); }, StatusCode::INVALID_ARGUMENT,
       "INVALID_AUDIO", "clips[1].pcm.samples", "100"},
      {"infinity", [](auto* request) { SetSample(request->mutable_clips(1), 100, -INFINITY); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.samples", "100"},
      {"an overflowing spectrogram", [](auto* request) { SetSample(request->mutable_clips(1), 100, 1e38f); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.samples", ""},
      {"too short", [](auto* request) { request->mutable_clips(1)->mutable_pcm()->mutable_samples()->resize(4 * 513); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].pcm.samples", "514"},
      {"an empty file", [](auto* request) { request->mutable_clips(1)->set_encoded(""); }, StatusCode::INVALID_ARGUMENT,
       "INVALID_AUDIO", "clips[1].encoded", ""},
      {"a file that is no audio", [](auto* request) { request->mutable_clips(1)->set_encoded("no audio at all"); },
       StatusCode::INVALID_ARGUMENT, "INVALID_AUDIO", "clips[1].encoded", "WAV"},
      {"an unknown element type", [](auto* request) { request->set_element_type(static_cast<v1::ElementType>(7)); },
       StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST", "element_type", "7"},
      {"an unknown config", [](auto* request) { request->set_config("mn10_al_b_mel_avgs"); }, StatusCode::NOT_FOUND,
       "UNKNOWN_CONFIG", "", "mn10_all_b_mel_avgs"},
      {"a config that is not loaded", [](auto* request) { request->set_config("mn10_all_b_mel_avgs"); },
       StatusCode::FAILED_PRECONDITION, "NETWORK_NOT_LOADED", "", "hearwire checkpoints fetch mn10_as --into DIR"},
      {"a clip too long", [](auto* request) { *request->mutable_clips(1) = ToneClip(6.1); },
       StatusCode::RESOURCE_EXHAUSTED, "AUDIO_TOO_LONG", "clips[1].pcm.samples", "6"},
  };
  return *cases;
}

TEST(EmbeddingServiceTest, AnswersBadRequestsByNameAndTheNextGoodOne) {
  PipelineOptions pipeline;
  pipeline.audio.max_decoded = absl::Seconds(6);
  EmbeddingServiceOptions service;
  service.max_clips = 8;
  ServiceHarness harness({.pipeline = pipeline, .service = service});
  for (const BadRequestCase& bad : BadRequests()) {
    SceneRequest request = TwoClips();
    bad.spoil(&request);
    const Failure failure = SceneFailure(&harness, request);
    EXPECT_EQ(failure.status.error_code(), bad.code) << bad.what;
    EXPECT_EQ(failure.reason, bad.reason) << bad.what;
    EXPECT_EQ(failure.field, bad.field) << bad.what;
    EXPECT_THAT(failure.status.error_message(), HasSubstr(bad.message)) << bad.what;
    EXPECT_THAT(failure.status.error_message(), HasSubstr(bad.field)) << bad.what;
    EXPECT_TRUE(failure.request_id.has_value()) << bad.what;
    const bool exhausted = bad.code == grpc::StatusCode::RESOURCE_EXHAUSTED;
    EXPECT_EQ(harness.metrics.count("rejected " + std::string(bad.reason)), reason::IsRefusal(bad.reason) ? 1 : 0);
    EXPECT_EQ(failure.pushback, exhausted ? std::optional<std::string>("-1") : std::nullopt) << bad.what;
    EXPECT_TRUE(SceneFailure(&harness, TwoClips()).status.ok()) << "after " << bad.what;
  }
}

TEST(EmbeddingServiceTest, TakesSilenceForAudio) {
  ServiceHarness harness;
  SceneRequest request = TwoClips();
  std::string& samples = *request.mutable_clips(0)->mutable_pcm()->mutable_samples();
  samples.assign(samples.size(), '\0');
  EXPECT_TRUE(SceneFailure(&harness, request).status.ok());
}

TEST(EmbeddingServiceTest, SaysHowLargeAReplyWouldBe) {
  ServiceHarness harness({.pipeline = {.max_reply_bytes = 20'000}});
  grpc::ClientContext context;
  v1::GetTimestampEmbeddingsResponse response;
  const auto request = RequestFor<v1::GetTimestampEmbeddingsRequest>({ToneClip(2)});
  const Failure failure = Describe(harness.NewStub()->GetTimestampEmbeddings(&context, request, &response), context);
  EXPECT_EQ(failure.reason, "REPLY_TOO_LARGE");
  EXPECT_EQ(failure.pushback, "-1");
  EXPECT_EQ(failure.facts.at("max_reply_bytes"), "20000");
  EXPECT_THAT(failure.status.error_message(), AllOf(HasSubstr(failure.facts.at("reply_bytes")), HasSubstr("float16")));
  // The bound is above what such a reply takes, by no more than a little.
  ServiceHarness roomy;
  grpc::ClientContext again;
  ASSERT_TRUE(roomy.NewStub()->GetTimestampEmbeddings(&again, request, &response).ok());
  EXPECT_LE(response.ByteSizeLong(), std::stoull(failure.facts.at("reply_bytes")));
  EXPECT_GE(response.ByteSizeLong() + 1000, std::stoull(failure.facts.at("reply_bytes")));
}

TEST(EmbeddingServiceTest, NeverSendsMoreTagsThanItCounted) {
  grpc::ClientContext context;
  v1::GetTagsResponse response;
  auto request = RequestFor<v1::GetTagsRequest>({ToneClip(0.5), ToneClip(0.5)});
  ServiceHarness small({.pipeline = {.max_reply_bytes = 40'000}});
  const Failure failure = Describe(small.NewStub()->GetTags(&context, request, &response), context);
  ASSERT_EQ(failure.reason, "REPLY_TOO_LARGE");
  ServiceHarness roomy;
  grpc::ClientContext again;
  ASSERT_TRUE(roomy.NewStub()->GetTags(&again, request, &response).ok());
  EXPECT_LE(response.ByteSizeLong(), std::stoull(failure.facts.at("reply_bytes")));
}

TEST(EmbeddingServiceTest, NamesUnknownNetworksToo) {
  ServiceHarness harness;
  const auto ask = [&](const std::string& network) {
    grpc::ClientContext context;
    v1::GetTagsResponse response;
    auto request = RequestFor<v1::GetTagsRequest>({ToneClip(0.5)});
    request.set_network(network);
    return Describe(harness.NewStub()->GetTags(&context, request, &response), context);
  };
  const Failure unknown = ask("mn10as");
  EXPECT_EQ(unknown.status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(unknown.reason, "UNKNOWN_NETWORK");
  EXPECT_THAT(unknown.status.error_message(), HasSubstr("mn10_as"));
  const Failure absent = ask("mn10_as");
  EXPECT_EQ(absent.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(absent.status.error_message(), AllOf(HasSubstr("mn10_as.pt"), HasSubstr("mn10_as_mAP_471.pt")));
  EXPECT_TRUE(ask("").status.ok());
  // A name as long as a message neither breaks the reply nor comes back whole.
  const Failure endless = ask(std::string(1'000'000, 'x'));
  EXPECT_EQ(endless.status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_LT(endless.status.error_message().size(), 1000u);
}

TEST(EmbeddingServiceTest, IsUnavailableUntilItIsOpened) {
  ServiceHarness harness({.open = false});
  const Failure failure = SceneFailure(&harness, TwoClips());
  EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(failure.reason, "STARTING");
  EXPECT_EQ(failure.pushback, "1000");
  EXPECT_EQ(harness.metrics.count("rejected STARTING"), 1);
  harness.service->Open();
  EXPECT_TRUE(SceneFailure(&harness, TwoClips()).status.ok());
}

TEST(EmbeddingServiceTest, IsUnavailableOnceItShutsDown) {
  ServiceHarness harness;
  harness.pipeline->BeginShutdown();
  const Failure failure = SceneFailure(&harness, TwoClips());
  EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(failure.reason, "SHUTTING_DOWN");
}

TEST(EmbeddingServiceTest, RefusesCallsWhileItDrains) {
  ServiceHarness harness;
  harness.service->BeginDrain(1);
  EXPECT_TRUE(SceneFailure(&harness, TwoClips()).status.ok()) << "one was arriving";
  const Failure failure = SceneFailure(&harness, TwoClips());
  EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(failure.reason, "SHUTTING_DOWN");
  EXPECT_EQ(failure.retry_ms, 1000);
  EXPECT_EQ(harness.metrics.count("rejected SHUTTING_DOWN"), 1);
  grpc::ClientContext context;
  v1::ListConfigsResponse response;
  EXPECT_EQ(harness.NewStub()->ListConfigs(&context, {}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  // What is refused was never taken; the first leaves the count after its answer has been sent.
  const SteadyTime end = SteadyTime::Now() + absl::Seconds(30);
  while (harness.service->calls_in_flight() != 0 && SteadyTime::Now() < end) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(harness.service->calls_in_flight(), 0);
}

TEST(EmbeddingServiceTest, GivesNoCallLongerThanItsOwnLimit) {
  EmbeddingServiceOptions service;
  service.max_deadline = absl::Nanoseconds(1);
  ServiceHarness harness({.service = service});
  EXPECT_EQ(SceneFailure(&harness, TwoClips()).status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

// A service whose one worker waits at `gate_` before each batch.
class GatedServiceTest : public ::testing::Test {
 protected:
  ServiceHarness::Options Gated(BatcherOptions batcher = {}) {
    return {.batcher = batcher, .before_embed = [this](int, absl::Span<const WindowRequest>) {
              gate_.Pass();
              return absl::OkStatus();
            }};
  }
  std::future<Failure> Ask(ServiceHarness* harness) {
    return std::async(std::launch::async, [harness] { return SceneFailure(harness, TwoClips()); });
  }

  static constexpr int64_t kFrames = 100;  // Of TwoClips.
  Gate gate_;
};

TEST_F(GatedServiceTest, TellsCallersToComeBackWhenTheQueueIsFull) {
  ServiceHarness harness(Gated({.queue = {.max_queued_frames = kFrames}}));
  std::future<Failure> running = Ask(&harness);
  gate_.WaitForArrivals(1);
  std::future<Failure> waiting = Ask(&harness);
  harness.metrics.WaitForPendingFrames(kFrames);
  const Failure refused = SceneFailure(&harness, TwoClips());
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.reason, "QUEUE_FULL");
  ASSERT_TRUE(refused.retry_ms && refused.pushback);
  EXPECT_EQ(std::to_string(*refused.retry_ms), *refused.pushback);
  EXPECT_GE(*refused.retry_ms, 10);
  gate_.Open();
  EXPECT_TRUE(running.get().status.ok());
  EXPECT_TRUE(waiting.get().status.ok());
}

// A caller leaves while its call waits for the worker. What the server's record of the call says.
absl::StatusCode CodeOfACallThatWasLeft() {
  Gate gate;
  ServiceHarness harness({.before_embed = [&](int, absl::Span<const WindowRequest>) {
    gate.Pass();
    return absl::OkStatus();
  }});
  std::future<Failure> running =
      std::async(std::launch::async, [&] { return SceneFailure(&harness, RequestFor<SceneRequest>({ToneClip(0.5)})); });
  gate.WaitForArrivals(1);
  grpc::ClientContext context;
  std::future<grpc::Status> leaving = std::async(std::launch::async, [&] {
    v1::GetSceneEmbeddingsResponse response;
    return harness.NewStub()->GetSceneEmbeddings(&context, TwoClips(), &response);
  });
  harness.metrics.WaitForPendingFrames(100);
  context.TryCancel();
  EXPECT_EQ(leaving.get().error_code(), grpc::StatusCode::CANCELLED);
  gate.Open();
  EXPECT_TRUE(running.get().status.ok());
  for (const KeptRecord& record : harness.WaitForRecords(2)) {
    if (record.clips == 2) return record.status.code();
  }
  return absl::StatusCode::kUnknown;
}

TEST(EmbeddingServiceTest, GivesUpCallsWhoseCallersLeave) {
  // The server hears of it later than the caller, now and then too late.
  int attempts = 1;
  while (attempts < 100 && CodeOfACallThatWasLeft() != absl::StatusCode::kCancelled) ++attempts;
  EXPECT_LT(attempts, 100);
}

TEST_F(GatedServiceTest, ComputesNothingForACallThatIsTooLate) {
  ServiceHarness harness(Gated());
  std::future<Failure> running = Ask(&harness);
  gate_.WaitForArrivals(1);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  v1::GetSceneEmbeddingsResponse response;
  const auto request = RequestFor<SceneRequest>({ToneClip(0.5)});
  const grpc::Status late = harness.NewStub()->GetSceneEmbeddings(&context, request, &response);
  EXPECT_EQ(late.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  gate_.Open();
  EXPECT_TRUE(running.get().status.ok());
  for (const KeptRecord& record : harness.WaitForRecords(2)) {
    EXPECT_EQ(record.status.code(), record.clips == 1 ? absl::StatusCode::kDeadlineExceeded : absl::StatusCode::kOk);
  }
  EXPECT_EQ(harness.backend.batches().size(), 1u);
}

TEST(EmbeddingServiceTest, CreateRefusesADefaultThatItCannotServe) {
  FakeBackend backend;
  const ServedModels models({NetworkCatalog::Load({}, &backend).value(), {}});
  RecordedMetrics metrics;
  const auto status = [&](const EmbeddingServiceOptions& options) {
    return EmbeddingServiceImpl::Create(options, &models, nullptr, &metrics).status();
  };
  EmbeddingServiceOptions options;
  EXPECT_TRUE(status(options).ok());
  options.default_config = "mn10_all_b";
  EXPECT_EQ(status(options).code(), absl::StatusCode::kFailedPrecondition);
  options.default_config = "mn10_all_bb";
  EXPECT_EQ(status(options).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status(options).message()), HasSubstr("mn10_all_b,"));
  options = {};
  options.max_clips = 0;
  EXPECT_EQ(status(options).code(), absl::StatusCode::kInvalidArgument);
}

TEST(UnreadMessageTest, ACallWhoseMessageThereIsNoMemoryForIsToldToComeBack) {
  ServiceHarness harness;
  const auto request = RequestFor<SceneRequest>({ToneClip(0.5)});
  has_room_for_message = [](int64_t bytes) { return bytes < 1000; };
  const Failure refused = SceneFailure(&harness, request);
  has_room_for_message = nullptr;
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.reason, "MEMORY_FULL");
  EXPECT_TRUE(refused.retry_ms && refused.pushback);
  EXPECT_TRUE(SceneFailure(&harness, request).status.ok());
}

}  // namespace
}  // namespace hearwire
