// Streams and calls of clients that do anything at any time; most telling under the sanitizers.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/server/rpc/service_harness.h"

namespace hearwire {
namespace {

using Message = v1::StreamEmbeddingsRequest;
using Call = grpc::ClientReaderWriter<v1::StreamEmbeddingsRequest, v1::StreamEmbeddingsResponse>;

constexpr int kClients = 24;
constexpr int kMaxStreams = 20;
constexpr int64_t kMaxPieceBytes = 20000;

Message Start(uint32_t rate_hz = 32000) {
  Message message;
  v1::StreamStart& start = *message.mutable_start();
  start.set_encoding(v1::Pcm::ENCODING_FLOAT32);
  start.set_sample_rate_hertz(rate_hz);
  start.set_timestamps(true);
  start.set_scenes(true);
  start.set_tags_top_k(3);
  return message;
}

Message Samples(size_t bytes) {
  Message message;
  message.set_samples(std::string(bytes, 0));
  return message;
}

ServiceHarness::Options Hasty() {
  ServiceHarness::Options options;
  options.listens = true;
  options.batcher.workers = 2;
  options.batcher.queue.max_queue_delay = absl::Microseconds(300);
  options.service.streams = {.max_streams = kMaxStreams,
                             .max_piece_bytes = kMaxPieceBytes,
                             .idle_timeout = absl::Milliseconds(60),
                             .max_duration = absl::Milliseconds(300)};
  options.pipeline.max_calls = kMaxStreams + kClients;
  return options;
}

class StreamStressTest : public testing::Test {
 protected:
  explicit StreamStressTest(ServiceHarness::Options options = Hasty())
      : harness_(std::make_unique<ServiceHarness>(std::move(options))) {}

  // Until the end, one stream or call after the other.
  void Behave(unsigned seed, SteadyTime end) {
    std::mt19937 random(seed);
    auto stub = harness_->NewConnection();
    while (SteadyTime::Now() < end) {
      if (random() % 8 == 0) stub = harness_->NewConnection();
      random() % 4 == 0 ? AskForTimestamps(*stub, &random) : Stream(*stub, &random);
    }
  }

  void AskForTimestamps(v1::EmbeddingService::Stub& stub, std::mt19937* random) {
    grpc::ClientContext context;
    if ((*random)() % 3 == 0) SetDeadline(&context, random);
    v1::GetTimestampEmbeddingsResponse response;
    const auto request = RequestFor<v1::GetTimestampEmbeddingsRequest>({ToneClip(0.5)});
    const grpc::Status status = stub.GetTimestampEmbeddings(&context, request, &response);
    if (status.ok()) {
      EXPECT_EQ(response.clips(0).embeddings().rows(), 11u);
    }
    CountEnd(status);
  }

  void Stream(v1::EmbeddingService::Stub& stub, std::mt19937* random) {
    grpc::ClientContext context;
    const auto chance = [random](unsigned one_in) { return (*random)() % one_in == 0; };
    if (chance(6)) SetDeadline(&context, random);
    const std::unique_ptr<Call> call = stub.StreamEmbeddings(&context);
    const bool cancels_early = chance(12);
    if (cancels_early) context.TryCancel();
    // Some read all the while, some only at the end, some never.
    const bool reads_at_once = chance(2);
    const bool reads = reads_at_once || !chance(4);
    Totals totals;
    std::thread reader;
    if (reads_at_once) reader = std::thread([&] { totals = ReadAll(*call); });

    size_t bytes = 0;
    bool is_well = !chance(10);
    if (!is_well) call->Write(chance(2) ? Samples(4) : Start(chance(2) ? 7 : 0));
    if (is_well) call->Write(Start());
    for (unsigned left = (*random)() % 40; left > 0; --left) {
      const size_t size = (*random)() % kMaxPieceBytes;
      Message message = Samples(size);
      if (chance(100)) {
        is_well = false;
        message = chance(2) ? Start() : Samples(kMaxPieceBytes + 1);
      }
      if (!call->Write(message)) break;
      bytes += size;
      if (chance(30)) absl::SleepFor(absl::Milliseconds((*random)() % 100));  // Perhaps idle.
    }
    if (const size_t part = bytes % 4; part > 0 && !chance(20)) {
      call->Write(Samples(4 - part));
      bytes += 4 - part;
    }
    if (chance(3) || !reads) {
      context.TryCancel();
    } else {
      call->WritesDone();
    }
    if (reader.joinable()) reader.join();
    if (reads && !reads_at_once) totals = ReadAll(*call);
    const grpc::Status status = call->Finish();
    if (status.ok() && reads) {
      EXPECT_TRUE(is_well);
      EXPECT_EQ(bytes % 4, 0u);
      EXPECT_EQ(totals.rows, static_cast<int64_t>(bytes / 4 / 1600) + 1);
      EXPECT_EQ(totals.summaries, 1);
      ++good_streams_;
    }
    CountEnd(status);
  }

  struct Totals {
    int64_t rows = 0;
    int summaries = 0;
  };
  static Totals ReadAll(Call& call) {
    Totals totals;
    v1::StreamEmbeddingsResponse response;
    while (call.Read(&response)) {
      EXPECT_EQ(totals.summaries, 0) << "it is the last";
      totals.rows += response.timestamps().embeddings().rows();
      totals.summaries += response.has_summary() ? 1 : 0;
    }
    return totals;
  }

  static void SetDeadline(grpc::ClientContext* context, std::mt19937* random) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds((*random)() % 150));
  }

  void CountEnd(const grpc::Status& status) {
    switch (status.error_code()) {
      case grpc::StatusCode::OK:
        ++good_;
        return;
      case grpc::StatusCode::CANCELLED:
      case grpc::StatusCode::DEADLINE_EXCEEDED:
      case grpc::StatusCode::INVALID_ARGUMENT:
      case grpc::StatusCode::RESOURCE_EXHAUSTED:
      case grpc::StatusCode::UNAVAILABLE:
        ++failed_;
        return;
      default:
        ADD_FAILURE() << status.error_code() << ": " << status.error_message();
    }
  }

  void RunClients(absl::Duration duration, unsigned seed) {
    const SteadyTime end = SteadyTime::Now() + duration;
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([this, seed, i, end] { Behave(seed + static_cast<unsigned>(i), end); });
    }
    for (std::thread& client : clients) client.join();
  }

  void WaitUntilNothingRuns() {
    const SteadyTime end = SteadyTime::Now() + absl::Seconds(20);
    while (harness_->service->calls_in_flight() > 0 && SteadyTime::Now() < end) absl::SleepFor(absl::Milliseconds(1));
    EXPECT_EQ(harness_->service->calls_in_flight(), 0);
    EXPECT_EQ(harness_->metrics.open_streams(), 0);
  }

  std::unique_ptr<ServiceHarness> harness_;
  std::atomic<int> good_ = 0, good_streams_ = 0, failed_ = 0;
};

TEST_F(StreamStressTest, EveryStreamEndsAndGivesBackWhatItHeld) {
  RunClients(absl::Seconds(2), 1);
  EXPECT_GT(good_streams_, 0);
  EXPECT_GT(good_, good_streams_) << "calls beside them";
  EXPECT_GT(failed_, 0);
  RecordProperty("good_streams", good_streams_);
  WaitUntilNothingRuns();
  // There is room again for as many as may be open.
  const auto stub = harness_->NewConnection();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < kMaxStreams; ++i) {
    calls.push_back(stub->StreamEmbeddings(contexts.emplace_back(std::make_unique<grpc::ClientContext>()).get()));
    calls.back()->Write(Start());
    v1::StreamEmbeddingsResponse response;
    EXPECT_TRUE(calls.back()->Read(&response)) << i;
  }
  for (const auto& context : contexts) context->TryCancel();
  for (const auto& call : calls) call->Finish();
  WaitUntilNothingRuns();
}

TEST_F(StreamStressTest, AServerEndsWithStreamsOpen) {
  for (unsigned round = 0; round < 4; ++round) {
    std::thread clients([&] { RunClients(absl::Milliseconds(300), 100 * (round + 1)); });
    absl::SleepFor(absl::Milliseconds(200));
    // As a drain does, whose time is short.
    harness_->service->BeginDrain(round % 2);
    harness_->service->EndStreams();
    if (round % 2 == 0) absl::SleepFor(absl::Milliseconds(20));
    harness_->EndServer();
    clients.join();
    WaitUntilNothingRuns();
    harness_ = std::make_unique<ServiceHarness>(Hasty());
  }
}

TEST_F(StreamStressTest, AStreamThatComesAfterTheEndOfAllIsToldToGoOnElsewhere) {
  harness_->service->EndStreams();
  const auto stub = harness_->NewConnection();
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    const auto call = stub->StreamEmbeddings(&context);
    call->Write(Start());
    ReadAll(*call);
    EXPECT_EQ(Describe(call->Finish(), context).reason, "SHUTTING_DOWN");
  }
  WaitUntilNothingRuns();
}

// A base, so that it is there before the server's threads and after them.
struct Device {
  std::atomic<bool> is_lost = false;
};

class LostDeviceTest : protected Device, public StreamStressTest {
 protected:
  LostDeviceTest() : StreamStressTest(Losing(&is_lost)) {}

  static ServiceHarness::Options Losing(const std::atomic<bool>* is_lost) {
    ServiceHarness::Options options = Hasty();
    options.before_embed = [is_lost](int, absl::Span<const WindowRequest>) {
      return is_lost->load() ? absl::UnavailableError("lost") : absl::OkStatus();
    };
    return options;
  }
};

TEST_F(LostDeviceTest, StreamsEndWithTheDevice) {
  std::thread loser([&] {
    absl::SleepFor(absl::Milliseconds(300));
    is_lost = true;
  });
  RunClients(absl::Milliseconds(800), 7);
  loser.join();
  EXPECT_GT(failed_, 0);
  WaitUntilNothingRuns();
}

}  // namespace
}  // namespace hearwire
