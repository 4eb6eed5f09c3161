// The two backends check each other: the same weights give the same numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {
namespace {

// Of the row's largest value.
constexpr double kTolerance = 2e-5;
constexpr double kPaddedTolerance = 1e-5;

struct NetworkCase {
  double width;
  HeadKind head;
  MelSettings mel;
};

constexpr Pooling kPoolings[] = {Pooling::kAvgCh,       Pooling::kMaxCh,   Pooling::kAddAvgMaxCh,
                                 Pooling::kCatAvgMaxCh, Pooling::kAvgTime, Pooling::kAvgMaxTime};

// Windows of these lengths, each once for every feature under every pooling: so the largest value of each row is that
// feature's own.
class Batch {
 public:
  Batch(const NetworkWeights& weights, HeadKind head, const MelSettings& mel, const std::vector<int>& lengths) {
    for (const int frames : lengths)
      windows_.push_back(MakeRandomWindow(frames, mel.n_mels, static_cast<uint32_t>(frames)));
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
    std::vector<WindowRequest> requests;
    for (const RandomWindow& window : windows_) {
      for (size_t i = 0; i < readouts_.size(); ++i) {
        rows.emplace_back(sizes_[i], NAN);
        requests.push_back({window.window, readouts_[i], rows.back().data()});
      }
    }
    const absl::Status status = embedder->Embed(0, requests);
    EXPECT_TRUE(status.ok()) << status;
    return rows;
  }

 private:
  std::vector<RandomWindow> windows_;
  std::vector<Readout> readouts_;
  std::vector<size_t> sizes_;
};

// The largest difference of a row, in parts of that row's largest value.
double LargestError(const std::vector<std::vector<float>>& ours, const std::vector<std::vector<float>>& theirs,
                    double tolerance, const std::string& what) {
  double largest_error = 0;
  for (size_t row = 0; row < ours.size(); ++row) {
    double largest = 0, difference = 0;
    for (size_t i = 0; i < ours[row].size(); ++i) {
      if (!std::isfinite(ours[row][i]) || !std::isfinite(theirs[row][i])) {
        ADD_FAILURE() << what << ", row " << row << ": not finite";
        return 0;
      }
      largest = std::max(largest, std::abs(static_cast<double>(theirs[row][i])));
      difference = std::max(difference, std::abs(static_cast<double>(ours[row][i]) - theirs[row][i]));
    }
    EXPECT_LE(difference, tolerance * largest) << what << ", row " << row;
    if (largest > 0) largest_error = std::max(largest_error, difference / largest);
  }
  return largest_error;
}

struct Backends {
  Backends(const NetworkCase& test, bool pad_windows)
      : weights(MakeRandomNetwork(test.width, test.head, 11)),
        native(MakeNativeBackend().value()),
        torch(LoadTorchBackend({.device = "cpu", .pad_windows = pad_windows}).value()) {
    EXPECT_TRUE(native->AddNetwork(weights, test.mel).ok());
    EXPECT_TRUE(torch->AddNetwork(weights, test.mel).ok());
  }
  const std::shared_ptr<const NetworkWeights> weights;
  const std::unique_ptr<Backend> native;
  const std::unique_ptr<Backend> torch;
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
    const Backends backends(test, /*pad_windows=*/false);
    for (const int frames : {1, 7, 16, 33, 250}) {
      if (frames == 250 && test.width > 1) continue;
      const Batch batch(*backends.weights, test.head, test.mel, {frames});
      const std::string what = absl::StrCat("width ", test.width, ", ", test.mel.n_mels, " mels, ", frames, " frames");
      largest_error = std::max(largest_error,
                               LargestError(batch.Run(*backends.native), batch.Run(*backends.torch), kTolerance, what));
    }
  }
  std::cout << "largest error " << largest_error << " of the largest value\n";
}

TEST(NativeAgreementTest, PaddingChangesNoRow) {
  const NetworkCase cases[] = {
      {0.1, HeadKind::kMlp, {.n_mels = 128}},
      {0.2, HeadKind::kFullyConvolutional, {.n_mels = 40}},
      {0.5, HeadKind::kMlp, {.n_mels = 64}},
      {1.0, HeadKind::kMlp, {.n_mels = 128}},
  };
  // Lengths that share chunks, exact ones among them, down to a single frame; such as leave a column or none of padding
  // in the maps behind each stride; and any.
  std::vector<int> lengths = {1,  2,  3,  4,  5,  7,  8,  9,  11, 13, 15, 16, 17, 18,  19, 20,
                              23, 29, 31, 32, 33, 40, 47, 57, 63, 64, 65, 96, 97, 127, 131};
  std::mt19937 random(1);
  for (int i = 0; i < 8; ++i) lengths.push_back(static_cast<int>(1 + random() % 300));
  double largest_error = 0;
  for (const NetworkCase& test : cases) {
    const Backends backends(test, /*pad_windows=*/true);
    const Batch batch(*backends.weights, test.head, test.mel, lengths);
    const std::string what = absl::StrCat("width ", test.width, ", ", test.mel.n_mels, " mels");
    largest_error = std::max(
        largest_error, LargestError(batch.Run(*backends.native), batch.Run(*backends.torch), kPaddedTolerance, what));
  }
  std::cout << "largest error " << largest_error << " of the largest value\n";
}

}  // namespace
}  // namespace hearwire
