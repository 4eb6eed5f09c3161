#include "tests/models/torch/every_readout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace hearwire {

EveryReadout::EveryReadout(const NetworkWeights& weights, const MelSettings& mel, const std::vector<int>& lengths,
                           const std::vector<Pooling>& poolings) {
  for (const int frames : lengths) {
    windows_.push_back(MakeRandomWindow(frames, mel.n_mels, static_cast<uint32_t>(frames)));
  }
  const auto add = [&](Feature feature, Pooling pooling) {
    Readout readout;
    readout.pooling = pooling;
    readout.features.Add(feature);
    readouts_.push_back(readout);
    sizes_.push_back(static_cast<size_t>(ReadoutSize(weights.shape, mel.n_mels, readout)));
  };
  for (const Feature feature : {Feature::kMelAvgs, Feature::kClf1, Feature::kLogits}) add(feature, Pooling::kAvgCh);
  if (weights.head == HeadKind::kMlp) add(Feature::kClf2, Pooling::kAvgCh);
  for (const int block : {4, 5, 6, 11, 12, 13, 14, 15}) add(Se(block), Pooling::kAvgCh);
  for (int block = 0; block < kBlockCount; ++block) {
    for (const Pooling pooling : poolings) add(Block(block), pooling);
  }
}

Rows EveryReadout::Run(Embedder& embedder) const {
  Rows rows;
  std::vector<WindowRequest> requests;
  for (const RandomWindow& window : windows_) {
    for (size_t i = 0; i < readouts_.size(); ++i) {
      rows.emplace_back(sizes_[i], NAN);
      requests.push_back({window.window, {&readouts_[i], 1}, rows.back().data()});
    }
  }
  const absl::Status status = embedder.Embed(0, requests);
  EXPECT_TRUE(status.ok()) << status;
  return rows;
}

double LargestError(const Rows& ours, const Rows& theirs, double tolerance, const std::string& what) {
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

}  // namespace hearwire
