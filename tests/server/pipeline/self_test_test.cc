#include "server/pipeline/self_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "models/weights/self_test_vectors.h"
#include "server/options.h"
#include "server/pipeline/metrics_observer.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/fixtures/recorded_metrics.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

// Answers the self-test from its own vectors, told apart by the windows' lengths, with an error added to one value.
class ReplayingBackend : public FakeBackend {
 public:
  explicit ReplayingBackend(float error) : error_(error) {}
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override { return std::make_unique<Replaying>(error_); }

 private:
  struct Replaying : Embedder {
    explicit Replaying(float error) : error(error) {}
    absl::Status Embed(int, absl::Span<const WindowRequest> batch) override {
      for (const WindowRequest& request : batch) {
        for (const SelfTestVector& vector : SelfTestVectors()) {
          const int frames = static_cast<int>((vector.clip.size() - 1) / 320 + 1);
          if (request.window.frame_count() != frames) continue;
          const bool logits = request.readouts.front().features.Has(Feature::kLogits);
          const auto row = logits ? vector.logits : vector.scene_embedding;
          std::copy(row.begin(), row.end(), request.row);
          if (logits) request.row[9] += error;
        }
      }
      return absl::OkStatus();
    }
    const float error;
  };
  const float error_;
};

absl::StatusOr<SelfTestReport> SelfTestOf(Backend* backend, std::string_view precision,
                                          const NetworkCatalogOptions& options = {},
                                          const BatcherOptions& batching = {}) {
  RecordedMetrics metrics;
  MetricsObserver observer(&metrics, {});
  NetworkCatalog networks = NetworkCatalog::Load(options, backend).value();
  const auto batcher = Batcher::Create(batching, backend, &observer).value();
  networks.PlaceAll(batcher.get());
  return RunSelfTest(networks, precision, batcher.get());
}

TEST(RunSelfTestTest, ReturnsTheLargestErrorOfABackendThatComputesRight) {
  ReplayingBackend exact(0);
  const auto none = SelfTestOf(&exact, "float32");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->LargestError(), 0);
  ReplayingBackend close(1e-4f);
  const auto little = SelfTestOf(&close, "float32");
  ASSERT_TRUE(little.ok()) << little.status();
  EXPECT_GT(little->LargestError(), 0);
  EXPECT_LE(little->LargestError(), 1e-4);
  EXPECT_EQ(little->tolerance, double{1e-4f});
}

TEST(RunSelfTestTest, TestsTheNetworksOfTheBatcherAlone) {
  ReplayingBackend exact(0);
  RecordedMetrics metrics;
  MetricsObserver observer(&metrics, {});
  NetworkCatalog networks = NetworkCatalog::Load({}, &exact).value();
  const auto batcher = Batcher::Create({}, &exact, &observer).value();
  networks.PlaceAll(batcher.get());
  EXPECT_EQ(RunSelfTest(networks, "float32", batcher.get()).value().checks.size(), 5u);
  const auto other = Batcher::Create({}, &exact, &observer).value();
  EXPECT_EQ(RunSelfTest(networks, "float32", other.get()).value().checks.size(), 0u);
}

TEST(RunSelfTestTest, FitsIntoTheShortestQueueThatCanBeChosen) {
  ReplayingBackend exact(0);
  const auto with_queue = [&](int64_t frames) {
    return SelfTestOf(&exact, "float32", {}, {.queue = {.max_queued_frames = frames}}).status();
  };
  EXPECT_TRUE(with_queue(kLeastQueuedFrames).ok()) << with_queue(kLeastQueuedFrames);
  EXPECT_EQ(with_queue(kLeastQueuedFrames - 1).code(), absl::StatusCode::kResourceExhausted);
}

TEST(RunSelfTestTest, RefusesABackendThatComputesOtherNumbers) {
  ReplayingBackend wrong(0.1f);
  const auto error = SelfTestOf(&wrong, "float32");
  EXPECT_EQ(error.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(error.status().message()), HasSubstr("hearwire_mn01, chirp_1s, logits: value 9"));
  EXPECT_TRUE(SelfTestOf(&wrong, "float16").ok()) << "16 bits are allowed more";
  EXPECT_DOUBLE_EQ(SelfTestOf(&wrong, "bfloat16")->tolerance, 5e-2);
  FakeBackend fake;
  EXPECT_EQ(SelfTestOf(&fake, "float16").status().code(), absl::StatusCode::kInternal);
}

// Adds an error to one value of the window that networks are compared on.
class ShiftedBackend : public FakeBackend {
 public:
  explicit ShiftedBackend(float error) : error_(error) {}
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override { return std::make_unique<Shifted>(error_); }

 private:
  struct Shifted : Embedder {
    explicit Shifted(float error) : error(error) {}
    absl::Status Embed(int, absl::Span<const WindowRequest> batch) override {
      for (const WindowRequest& request : batch) request.row[3] = error;
      return absl::OkStatus();
    }
    const float error;
  };
  const float error_;
};

TEST(RunSelfTestTest, ComparesEveryNetworkWithItsReference) {
  NetworkCatalogOptions options;
  options.make_reference = [] { return std::make_unique<ShiftedBackend>(0.5f); };
  ShiftedBackend wrong(0.0f);
  const auto error = SelfTestOf(&wrong, "float32", options);
  EXPECT_EQ(error.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(error.status().message()), HasSubstr("hearwire_mn01, one window: value 3 is 0"));
}

TEST(RunSelfTestTest, PassesOnWhatTheBatcherSays) {
  FakeBackend fake;
  fake.set_before_embed([](int, absl::Span<const WindowRequest>) { return absl::UnavailableError("no such device"); });
  const auto error = SelfTestOf(&fake, "float32");
  EXPECT_EQ(error.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(error.status().message()), HasSubstr("no such device"));
}

TEST(RunSelfTestTest, GivesUpAtItsLimit) {
  Gate gate;
  FakeBackend fake;
  fake.set_before_embed([&](int, absl::Span<const WindowRequest>) {
    gate.Pass();
    return absl::OkStatus();
  });
  RecordedMetrics metrics;
  MetricsObserver observer(&metrics, {});
  NetworkCatalog networks = NetworkCatalog::Load({}, &fake).value();
  const auto batcher = Batcher::Create({}, &fake, &observer).value();
  networks.PlaceAll(batcher.get());
  EXPECT_EQ(RunSelfTest(networks, "float32", batcher.get(), absl::Milliseconds(20)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  gate.Open();
}

}  // namespace
}  // namespace hearwire
