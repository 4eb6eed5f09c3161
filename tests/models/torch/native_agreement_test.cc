// The two backends check each other: the same weights give the same numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <vector>

#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {
namespace {

constexpr double kTolerance = 2e-5;  // Of the row's largest value.

struct NetworkCase {
  double width;
  HeadKind head;
  MelSettings mel;
};

constexpr Pooling kPoolings[] = {Pooling::kAvgCh,       Pooling::kMaxCh,   Pooling::kAddAvgMaxCh,
                                 Pooling::kCatAvgMaxCh, Pooling::kAvgTime, Pooling::kAvgMaxTime};

// One feature a window, so that the largest value of each row is that feature's own.
class Batch {
 public:
  Batch(const NetworkWeights& weights, HeadKind head, const MelSettings& mel, int frames)
      : window_(MakeRandomWindow(frames, mel.n_mels, static_cast<uint32_t>(frames))) {
    const auto add = [&](Feature feature, Pooling pooling) {
      Readout readout;
      readout.pooling = pooling;
      readout.features.Add(feature);
      readouts_.push_back(readout);
      sizes_.push_back(static_cast<size_t>(ReadoutSize(weights.shape, mel.n_mels, readout)));
    };
    for (const Feature feature : {Feature::kMelAvgs, Feature::kClf1, Feature::kLogits}) add(feature, Pooling::kAvgCh);
    if (head == HeadKind::kMlp) add(Feature::kClf2, Pooling::kAvgCh);
    for (const int block : {4, 5, 6, 11, 12, 13, 14, 15}) add(Se(block), Pooling::kAvgCh);
    for (int block = 0; block < kBlockCount; ++block) {
      for (const Pooling pooling : kPoolings) add(Block(block), pooling);
    }
  }

  std::vector<std::vector<float>> Run(Backend& backend) const {
    const std::unique_ptr<Embedder> embedder = backend.NewEmbedder().value();
    std::vector<std::vector<float>> rows;
    for (const size_t size : sizes_) rows.emplace_back(size, NAN);
    std::vector<WindowRequest> requests;
    for (size_t i = 0; i < rows.size(); ++i) requests.push_back({window_.window, readouts_[i], rows[i].data()});
    const absl::Status status = embedder->Embed(0, requests);
    EXPECT_TRUE(status.ok()) << status;
    return rows;
  }

 private:
  const RandomWindow window_;
  std::vector<Readout> readouts_;
  std::vector<size_t> sizes_;
};

TEST(NativeAgreementTest, BothBackendsGiveTheSameNumbersForTheSameWeights) {
  const NetworkCase cases[] = {
      {0.1, HeadKind::kMlp, {.n_mels = 128}}, {0.2, HeadKind::kFullyConvolutional, {.n_mels = 40}},
      {0.4, HeadKind::kMlp, {.n_mels = 128}}, {0.5, HeadKind::kMlp, {.n_mels = 64}},
      {1.0, HeadKind::kMlp, {.n_mels = 128}}, {1.0, HeadKind::kFullyConvolutional, {.n_mels = 256}},
      {2.0, HeadKind::kMlp, {.n_mels = 128}},
  };
  double largest_error = 0;
  for (const NetworkCase& test : cases) {
    const auto weights = MakeRandomNetwork(test.width, test.head, 11);
    const std::unique_ptr<Backend> native = MakeNativeBackend().value();
    const std::unique_ptr<Backend> torch = LoadTorchBackend({.device = "cpu"}).value();
    ASSERT_TRUE(native->AddNetwork(weights, test.mel).ok());
    ASSERT_TRUE(torch->AddNetwork(weights, test.mel).ok());
    for (const int frames : {1, 7, 16, 33, 250}) {
      if (frames == 250 && test.width > 1) continue;
      const Batch batch(*weights, test.head, test.mel, frames);
      const auto ours = batch.Run(*native), theirs = batch.Run(*torch);
      for (size_t row = 0; row < ours.size(); ++row) {
        double largest = 0, difference = 0;
        for (size_t i = 0; i < ours[row].size(); ++i) {
          ASSERT_TRUE(std::isfinite(ours[row][i]));
          largest = std::max(largest, std::abs(static_cast<double>(theirs[row][i])));
          difference = std::max(difference, std::abs(static_cast<double>(ours[row][i]) - theirs[row][i]));
        }
        ASSERT_LE(difference, kTolerance * largest)
            << "width " << test.width << ", " << test.mel.n_mels << " mels, " << frames << " frames, row " << row;
        if (largest > 0) largest_error = std::max(largest_error, difference / largest);
      }
    }
  }
  std::cout << "largest error " << largest_error << " of the largest value\n";
}

}  // namespace
}  // namespace hearwire
