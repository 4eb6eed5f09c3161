// The backend on a GPU that is a CPU: what its kernels compute, and what it does when something goes wrong.

#include "models/cuda/cuda_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/native/native_backend.h"
#include "tests/fixtures/every_readout.h"
#include "tests/fixtures/random_network.h"
#include "tests/models/cuda/emulated_gpu.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Of the row's largest value. Parity allows 1e-4, of which real tensor cores take a part.
constexpr double kTolerance = 2e-5;
constexpr MelSettings kFewMels = {.n_mels = 40};  // Quick to emulate.

Readout Of(std::initializer_list<Feature> features, Pooling pooling = Pooling::kAvgCh) {
  Readout readout;
  readout.pooling = pooling;
  for (const Feature feature : features) readout.features.Add(feature);
  return readout;
}

class CudaBackendTest : public testing::Test {
 protected:
  std::unique_ptr<Backend> MakeBackend(int max_batch_frames = 32768) {
    return MakeGpuBackend(MakeEmulatedGpu(gpu_),
                          {.max_batch_frames = max_batch_frames,
                           .warn = [this](const std::string& message) { warnings_.push_back(message); }});
  }
  // With a network of few bands.
  std::unique_ptr<Backend> MakeSmallBackend(int max_batch_frames = 32768) {
    std::unique_ptr<Backend> backend = MakeBackend(max_batch_frames);
    EXPECT_EQ(backend->AddNetwork(weights_, kFewMels).value(), 0);
    return backend;
  }

  // The rows of windows of these lengths, of network 0 with few bands. A window is known by its length and place.
  absl::Status Embed(Embedder& embedder, const std::vector<int>& lengths, Rows* rows) {
    std::vector<RandomWindow> windows;
    std::vector<WindowRequest> requests;
    rows->clear();
    for (const int frames : lengths) {
      windows.push_back(MakeRandomWindow(frames, kFewMels.n_mels, static_cast<uint32_t>(frames)));
      rows->emplace_back(RowSize(weights_->shape, kFewMels.n_mels, readouts_));
    }
    for (size_t i = 0; i < lengths.size(); ++i) requests.push_back({windows[i].window, readouts_, (*rows)[i].data()});
    return embedder.Embed(0, requests);
  }
  Rows Embed(Embedder& embedder, const std::vector<int>& lengths) {
    Rows rows;
    const absl::Status status = Embed(embedder, lengths, &rows);
    EXPECT_TRUE(status.ok()) << status;
    return rows;
  }

  const std::shared_ptr<const NetworkWeights> weights_ = MakeRandomNetwork(0.1, HeadKind::kMlp, 7);
  const std::vector<Readout> readouts_ = {Of({Feature::kMelAvgs, Block(3), Block(11)}), Of({Feature::kLogits}),
                                          Of({Block(13)}, Pooling::kAvgMaxTime), Of({Se(5), Se(15)})};
  const std::shared_ptr<EmulatedFaults> gpu_ = std::make_shared<EmulatedFaults>();
  std::vector<std::string> warnings_;
};

TEST_F(CudaBackendTest, SaysWhatItIs) {
  const std::unique_ptr<Backend> backend = MakeBackend();
  EXPECT_EQ(backend->name(), "cuda");
  EXPECT_EQ(backend->device(), "cuda:0");
  EXPECT_EQ(backend->precision(), "float32");
  EXPECT_EQ(MakeCudaBackend({.device = "cuda:x"}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeCudaBackend({.max_batch_frames = 0}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CudaBackendTest, GivesTheNativeBackendsNumbersForEveryReadout) {
  const struct {
    double width;
    HeadKind head;
    int mels;
    std::vector<int> lengths;
  } cases[] = {
      {0.1, HeadKind::kMlp, 128, {1, 2, 7, 16, 16, 17, 33}},
      {0.2, HeadKind::kFullyConvolutional, 40, {1, 16}},
      {0.5, HeadKind::kMlp, 64, {16}},
      {0.1, HeadKind::kMlp, 256, {5, 16}},
  };
  for (const auto& test : cases) {
    const std::shared_ptr<const NetworkWeights> weights = MakeRandomNetwork(test.width, test.head, 11);
    const MelSettings mel = {.n_mels = test.mels};
    const std::unique_ptr<Backend> native = MakeNativeBackend().value();
    const std::unique_ptr<Backend> cuda = MakeBackend();
    ASSERT_TRUE(native->AddNetwork(weights, mel).ok());
    ASSERT_TRUE(cuda->AddNetwork(weights, mel).ok());
    const EveryReadout batch(*weights, mel, test.lengths);
    const std::string what = absl::StrCat("width ", test.width, ", ", test.mels, " bands");
    const double error = LargestError(batch.RunTogether(*native->NewEmbedder().value()),
                                      batch.RunTogether(*cuda->NewEmbedder().value()), kTolerance, what);
    RecordProperty(absl::StrCat("largest_error_", test.mels), absl::StrCat(error));
  }
}

TEST_F(CudaBackendTest, GivesARowTheSameBitsInAnyCompany) {
  const std::unique_ptr<Backend> backend = MakeSmallBackend();
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  // Some are padded beside longer ones.
  const std::vector<int> lengths = {16, 1, 70, 16, 9, 40, 33, 16, 64};
  const Rows together = Embed(*embedder, lengths);
  for (size_t i = 0; i < lengths.size(); ++i) {
    EXPECT_EQ(Embed(*embedder, {lengths[i]})[0], together[i]) << lengths[i] << " frames";
  }
  const std::unique_ptr<Backend> in_parts = MakeSmallBackend(/*max_batch_frames=*/40);
  EXPECT_EQ(Embed(*in_parts->NewEmbedder().value(), lengths), together);
}

TEST_F(CudaBackendTest, FillsOneStreamWhileAnotherComputes) {
  const std::unique_ptr<Backend> backend = MakeSmallBackend(/*max_batch_frames=*/16);
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  (void)Embed(*embedder, {16});
  EXPECT_EQ(gpu_->most_busy_streams, 1);
  (void)Embed(*embedder, {16, 16, 16});
  EXPECT_EQ(gpu_->most_busy_streams, 2);
  EXPECT_EQ(gpu_->busy_streams, 0);
}

TEST_F(CudaBackendTest, ReplaysChunksThatComeAgainAndForgetsThemWhenBuffersMove) {
  const std::unique_ptr<Backend> backend = MakeSmallBackend();
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  const Rows first = Embed(*embedder, {16});
  for (int i = 1; i < 8; ++i) EXPECT_EQ(Embed(*embedder, {16}), first) << i;
  EXPECT_EQ(gpu_->recorded, 2) << "one a stream";
  EXPECT_EQ(gpu_->replayed, 4);
  for (int i = 0; i < 2; ++i) (void)Embed(*embedder, {16, 16, 16, 16});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Embed(*embedder, {16}), first) << i;
  EXPECT_EQ(gpu_->recorded, 2) << "what was recorded is bound to memory that has been given back";
  EXPECT_EQ(gpu_->replayed, 4);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Embed(*embedder, {16}), first) << i;
  EXPECT_EQ(gpu_->recorded, 4);
}

TEST_F(CudaBackendTest, RunsInHalvesWhatDoesNotFitAndWarns) {
  const std::unique_ptr<Backend> backend = MakeSmallBackend();
  const size_t weight_bytes = gpu_->allocated_bytes;
  const std::vector<int> lengths(8, 16);
  Rows expected;
  size_t batch_bytes = 0;
  {
    const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
    expected = Embed(*embedder, lengths);
    batch_bytes = gpu_->allocated_bytes - weight_bytes;
  }
  EXPECT_EQ(gpu_->allocated_bytes, weight_bytes) << "an embedder gives back what it took";
  EXPECT_THAT(warnings_, ElementsAre());

  gpu_->memory_bytes = weight_bytes + batch_bytes * 3 / 4;
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  EXPECT_EQ(Embed(*embedder, lengths), expected);
  ASSERT_FALSE(warnings_.empty());
  EXPECT_THAT(warnings_[0], HasSubstr("too little memory for 8 windows of 16 frames"));
  const size_t said = warnings_.size();
  EXPECT_EQ(Embed(*embedder, lengths), expected);
  EXPECT_EQ(warnings_.size(), said);
}

TEST_F(CudaBackendTest, SaysThatAWindowIsTooLargeAndTakesTheNextSmallerOne) {
  const std::unique_ptr<Backend> backend = MakeSmallBackend();
  const size_t weight_bytes = gpu_->allocated_bytes;
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  const Rows expected = Embed(*embedder, {16});
  gpu_->memory_bytes = gpu_->allocated_bytes + 1000;
  Rows rows;
  EXPECT_EQ(Embed(*embedder, {500}, &rows).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LE(gpu_->allocated_bytes, gpu_->memory_bytes);
  EXPECT_EQ(Embed(*embedder, {16}), expected);
  gpu_->memory_bytes = weight_bytes + 1000;
  EXPECT_EQ(Embed(*backend->NewEmbedder().value(), {16}, &rows).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(CudaBackendTest, TakesMemoryFromAnIdleStreamBeforeItGivesAWindowUp) {
  const std::unique_ptr<Backend> backend = MakeSmallBackend();
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  const Rows expected = Embed(*embedder, {100});
  // What the first stream holds is all that there is; the next batch is the second one's.
  gpu_->memory_bytes = gpu_->allocated_bytes.load();
  EXPECT_EQ(Embed(*embedder, {100}), expected);
}

TEST_F(CudaBackendTest, TakesNoNetworkThatDoesNotFit) {
  const std::unique_ptr<Backend> backend = MakeSmallBackend();
  gpu_->memory_bytes = gpu_->allocated_bytes + 1000;
  const auto large = MakeRandomNetwork(0.4, HeadKind::kMlp, 1);
  EXPECT_EQ(backend->AddNetwork(large, kFewMels).status().code(), absl::StatusCode::kResourceExhausted);
  gpu_->memory_bytes = std::numeric_limits<size_t>::max();
  EXPECT_EQ(backend->AddNetwork(large, kFewMels).value(), 1);
  (void)Embed(*backend->NewEmbedder().value(), {16});
}

TEST_F(CudaBackendTest, ALostDeviceStaysLost) {
  const std::unique_ptr<Backend> backend = MakeSmallBackend();
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  (void)Embed(*embedder, {16});
  gpu_->waits_until_lost = 0;
  Rows rows;
  EXPECT_EQ(Embed(*embedder, {16, 9}, &rows).code(), absl::StatusCode::kUnavailable);
  gpu_->waits_until_lost = -1;
  EXPECT_EQ(Embed(*embedder, {16}, &rows).code(), absl::StatusCode::kUnavailable);
}

TEST_F(CudaBackendTest, GivesAllItsMemoryBack) {
  {
    const std::unique_ptr<Backend> backend = MakeSmallBackend();
    (void)Embed(*backend->NewEmbedder().value(), {16, 40});
    EXPECT_GT(gpu_->allocated_bytes, 0u);
  }
  EXPECT_EQ(gpu_->allocated_bytes, 0u);
}

}  // namespace
}  // namespace hearwire
