// The networks as CUDA runs them, on the CPU: their numbers are the native backend's, and what they launch is counted.

#include "models/torch/torch_network.h"

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/chunks/chunk_embedder.h"
#include "models/native/native_backend.h"
#include "models/torch/cpu_slot.h"
#include "tests/fixtures/every_readout.h"
#include "tests/fixtures/random_network.h"
#include "tests/models/torch/launch_counter.h"

namespace hearwire {
namespace {

constexpr double kTolerance = 1e-5;  // Of the row's largest value.

// A network on the CPU, with the operators of choice.
class CpuNetwork {
 public:
  CpuNetwork(const NetworkWeights& weights, int mels, const Operators& operators, bool pad_windows = false)
      : info_{weights.shape, mels, 16, 1000} {
    networks_.push_back(MakeTorchNetwork(weights, at::kCPU, operators));
    std::vector<std::unique_ptr<Slot>> slots;
    slots.push_back(MakeCpuSlot(networks_));
    ChunkPolicy policy = {.max_frames = 1024, .pad_windows = pad_windows};
    if (pad_windows) policy.small_chunk_frames = 4096;
    embedder_ = std::make_unique<ChunkEmbedder>(std::vector{info_}, std::move(slots), policy);
  }

  Embedder& embedder() { return *embedder_; }

  // Of a chunk of windows of 16 frames that are not padded; with `shortest` below 16 they are.
  int CountLaunches(std::initializer_list<Feature> features, int shortest = 16) {
    Readout readout;
    for (const Feature feature : features) readout.features.Add(feature);
    const ColumnPlan plan(info_.shape, info_.mels, {readout});
    const std::unique_ptr<Slot> slot = MakeCpuSlot(networks_);
    const Chunk chunk = {{4, 16, info_.mels}, 65, shortest};
    const ChunkInput input = slot->Input(chunk).value();
    std::fill_n(input.rows, 65 * info_.mels, 0.5f);
    for (int i = 0; i < 4 * 16; ++i) input.index[i] = i;
    std::fill_n(input.lengths, 4, shortest);
    const LaunchCounter counter;
    EXPECT_TRUE(slot->Start(0, chunk, plan).ok());
    EXPECT_THAT(counter.unknown(), testing::IsEmpty());
    return counter.launches();
  }

 private:
  const ChunkNetwork info_;
  std::vector<std::unique_ptr<TorchNetwork>> networks_;
  std::unique_ptr<ChunkEmbedder> embedder_;
};

struct TuningCase {
  const char* name;
  CudaTuning tuning;
};

class TorchNetworkTest : public testing::TestWithParam<TuningCase> {};

INSTANTIATE_TEST_SUITE_P(Tunings, TorchNetworkTest,
                         testing::Values(TuningCase{"Default", {}},
                                         TuningCase{"PointwiseConvolutions", {.pointwise_products = false}},
                                         TuningCase{"Cudnn", {.cudnn = true}}),
                         [](const auto& info) { return info.param.name; });

TEST_P(TorchNetworkTest, GivesTheNativeNumbers) {
  struct NetworkCase {
    double width;
    HeadKind head;
    MelSettings mel;
    std::vector<int> lengths;
  };
  // The first has blocks without expansion behind residuals, the second has not.
  const NetworkCase cases[] = {{0.1, HeadKind::kMlp, {.n_mels = 64}, {1, 7, 16}},
                               {0.2, HeadKind::kFullyConvolutional, {.n_mels = 40}, {9, 16}}};
  double largest_error = 0;
  for (const NetworkCase& test : cases) {
    const std::shared_ptr<const NetworkWeights> weights = MakeRandomNetwork(test.width, test.head, 11);
    const std::unique_ptr<Backend> native = MakeNativeBackend().value();
    ASSERT_TRUE(native->AddNetwork(weights, test.mel).ok());
    for (const bool pad_windows : {false, true}) {
      CpuNetwork network(*weights, test.mel.n_mels, {.tuning = GetParam().tuning}, pad_windows);
      const EveryReadout batch(*weights, test.mel, test.lengths, {Pooling::kCatAvgMaxCh, Pooling::kAvgMaxTime});
      largest_error = std::max(
          largest_error,
          LargestError(batch.Run(*native->NewEmbedder().value()), batch.Run(network.embedder()), kTolerance,
                       absl::StrCat("width ", test.width, ", ", test.mel.n_mels, " mels, padded ", pad_windows)));
    }
  }
  std::cout << "largest error " << largest_error << " of the largest value\n";
}

// A formula for each part of a forward pass to the logits, without padding.
struct Launches {
  int gather = 1;
  int stem;
  int relu_expansion;
  int hardswish_expansion;
  int depthwise;
  int relu_depthwise_alone;  // Without squeeze-excite.
  int projection;
  int residual;
  int squeeze_excite = 5;  // Mean; product, bias and ReLU; product and bias; sigmoid; scaling.
  int last;
  int head = 4;     // Mean; product and bias; hardswish; product and bias.
  int columns = 1;  // Put side by side.

  int Of(const NetworkShape& shape) const {
    int sum = gather + stem + last + head + columns;
    for (const BlockShape& block : shape.blocks) {
      if (block.has_expansion()) sum += block.hardswish ? hardswish_expansion : relu_expansion;
      sum += block.hardswish || block.squeeze_channels > 0 ? depthwise : relu_depthwise_alone;
      if (block.squeeze_channels > 0) sum += squeeze_excite;
      sum += block.has_residual() ? residual : projection;
    }
    return sum;
  }
};

TEST(TorchNetworkLaunchTest, FusesWhatAtenLetsFuse) {
  const std::shared_ptr<const NetworkWeights> weights = MakeRandomNetwork(1.0, HeadKind::kMlp, 11);
  const auto count = [&](const CudaTuning& tuning) {
    return CpuNetwork(*weights, 128, {.tuning = tuning}).CountLaunches({Feature::kLogits});
  };
  // Products add bias and ReLU, and start from a residual. ATen's kernel adds the bias, too; before depthwise ones, a
  // copy.
  const Launches usual = {.stem = 2,
                          .relu_expansion = 1,
                          .hardswish_expansion = 2,
                          .depthwise = 3,
                          .relu_depthwise_alone = 3,
                          .projection = 1,
                          .residual = 1,
                          .last = 2};
  EXPECT_EQ(usual.Of(weights->shape), 133);
  EXPECT_EQ(count({}), usual.Of(weights->shape));
  // By cuDNN the bias is a launch. A ReLU behind one that is left out is one with it.
  Launches cudnn = usual;
  cudnn.stem = 3;
  cudnn.relu_depthwise_alone = 2;
  EXPECT_EQ(cudnn.Of(weights->shape), 131);
  EXPECT_EQ(count({.cudnn = true}), cudnn.Of(weights->shape));
  // Every bias is a launch that is not left out.
  const Launches convolutions = {.stem = 3,
                                 .relu_expansion = 3,
                                 .hardswish_expansion = 3,
                                 .depthwise = 3,
                                 .relu_depthwise_alone = 2,
                                 .projection = 2,
                                 .residual = 2,
                                 .last = 3};
  EXPECT_EQ(count({.pointwise_products = false, .cudnn = true}), convolutions.Of(weights->shape));
}

TEST(TorchNetworkLaunchTest, RunsNoMoreThanIsReadBack) {
  const std::shared_ptr<const NetworkWeights> weights = MakeRandomNetwork(0.1, HeadKind::kMlp, 11);
  CpuNetwork network(*weights, 128, {});
  EXPECT_EQ(network.CountLaunches({Feature::kMelAvgs}), 3);  // Gathered, averaged, put side by side.
  EXPECT_EQ(network.CountLaunches({Block(0)}), 5);           // And the stem's two.
  // Padded: two for the mask, one to fill the map, five to count the windows' own columns, one to average over these.
  EXPECT_EQ(network.CountLaunches({Block(0)}, 4), 5 + 9);
  // Squeeze-excites that are read back have their ReLU apart.
  EXPECT_EQ(network.CountLaunches({Feature::kLogits, Se(5), Se(15)}), network.CountLaunches({Feature::kLogits}) + 2);
}

}  // namespace
}  // namespace hearwire
