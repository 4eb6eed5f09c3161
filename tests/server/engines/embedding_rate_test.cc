#include "server/engines/embedding_rate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "tests/fixtures/fake_embedder.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;

// A backend whose batches take so long each, and so long a window, on a clock of the test's own.
class EmbeddingRateTest : public ::testing::Test {
 protected:
  EmbeddingRateTest() {
    auto weights = std::make_shared<NetworkWeights>();
    weights->shape = MakeNetworkShape(0.1);
    trial_ = {.network = backend_.AddNetwork(weights, {}).value(),
              .shape = weights->shape,
              .mel = {},
              .window_samples = 5120,
              .max_batch_frames = 16 * 64,
              .limit = absl::Milliseconds(100)};
    backend_.set_before_embed([this](int, absl::Span<const WindowRequest> batch) -> absl::Status {
      frames_.push_back(batch.front().window.frame_count());
      if (batch.size() > largest_) return failure_;
      if (sizes_.insert(batch.size()).second) now_ += absl::Seconds(preparation_seconds_);
      now_ += absl::Seconds(batch_seconds_ + window_seconds_ * static_cast<double>(batch.size()));
      return absl::OkStatus();
    });
  }

  absl::StatusOr<double> Measure() {
    const std::unique_ptr<Embedder> embedder = backend_.NewEmbedder().value();
    return MeasureEmbeddingRate(embedder.get(), trial_, [this] { return now_; });
  }
  std::vector<int> Windows() const {
    std::vector<int> windows;
    for (const FakeBatch& batch : backend_.batches()) windows.push_back(batch.windows);
    return windows;
  }
  double Spent() const { return absl::ToDoubleSeconds(now_ - SteadyTime()); }

  FakeBackend backend_;
  RateTrial trial_;
  std::vector<int> frames_;
  SteadyTime now_;
  std::set<size_t> sizes_;  // Of batches so far.
  double preparation_seconds_ = 0;
  double batch_seconds_ = 0;
  double window_seconds_ = 0;
  size_t largest_ = 1 << 20;
  absl::Status failure_;
};

TEST_F(EmbeddingRateTest, FindsTheRateOfFullBatches) {
  batch_seconds_ = 0.001;
  window_seconds_ = 0.00001;
  const absl::StatusOr<double> rate = Measure();
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_NEAR(*rate, 64 / (0.001 + 64 * 0.00001), 1);
  std::vector<int> windows = Windows();
  ASSERT_GT(windows.size(), 10u);
  EXPECT_THAT(std::vector<int>(windows.begin(), windows.begin() + 7), ElementsAre(1, 1, 8, 8, 64, 64, 64));
  EXPECT_EQ(windows.back(), 64);
  EXPECT_THAT(frames_, Each(16));
}

TEST_F(EmbeddingRateTest, KeepsToItsLimit) {
  for (const double seconds : {1e-6, 1e-4, 1e-3, 1e-2}) {
    now_ = {};
    window_seconds_ = seconds;
    const absl::StatusOr<double> rate = Measure();
    ASSERT_TRUE(rate.ok()) << rate.status();
    EXPECT_NEAR(*rate, 1 / seconds, 0.001 / seconds);
    EXPECT_THAT(Spent(), AllOf(Le(0.1001), Ge(0.03))) << seconds;
  }
}

TEST_F(EmbeddingRateTest, RunsOneWindowTwiceHoweverSlow) {
  window_seconds_ = 3;
  EXPECT_NEAR(Measure().value(), 1.0 / 3, 1e-6);
  EXPECT_THAT(Windows(), ElementsAre(1, 1));
}

TEST_F(EmbeddingRateTest, DoesNotCountTheFirstBatchOfASize) {
  batch_seconds_ = 0.001;
  window_seconds_ = 0.00001;
  preparation_seconds_ = 0.4;
  EXPECT_NEAR(Measure().value(), 64 / (0.001 + 64 * 0.00001), 1);
}

TEST_F(EmbeddingRateTest, DoesNotGrowWherePreparingTakesLong) {
  batch_seconds_ = 0.001;
  window_seconds_ = 0.00001;
  preparation_seconds_ = 7;
  EXPECT_NEAR(Measure().value(), 8 / (0.001 + 8 * 0.00001), 1)
      << "whatever the first batch of all takes, eight are tried";
  EXPECT_LT(Spent(), 2 * 7 + 0.2);
}

TEST_F(EmbeddingRateTest, RunsAWindowThatIsLargerThanABatch) {
  trial_.max_batch_frames = 1000;
  trial_.window_samples = kSceneWindowSamples;
  window_seconds_ = 0.04;
  EXPECT_NEAR(Measure().value(), 25, 0.01);
  EXPECT_THAT(frames_, Each(1000));
  EXPECT_THAT(Windows(), Each(1));
}

TEST_F(EmbeddingRateTest, TakesTheBestOfWhatFitsTheDevice) {
  window_seconds_ = 0.0001;
  batch_seconds_ = 0.001;
  largest_ = 8;
  failure_ = absl::ResourceExhaustedError("out of memory");
  EXPECT_NEAR(Measure().value(), 8 / 0.0018, 1);
  largest_ = 0;
  EXPECT_EQ(Measure().status(), failure_);
}

TEST_F(EmbeddingRateTest, PassesFailuresOn) {
  largest_ = 8;
  failure_ = absl::UnavailableError("fell off the bus");
  EXPECT_EQ(Measure().status(), failure_);
}

}  // namespace
}  // namespace hearwire
