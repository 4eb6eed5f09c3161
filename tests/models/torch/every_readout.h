// Windows whose rows hold every number that a network gives, to compare backends by.

#ifndef HEARWIRE_TESTS_MODELS_TORCH_EVERY_READOUT_H_
#define HEARWIRE_TESTS_MODELS_TORCH_EVERY_READOUT_H_

#include <string>
#include <vector>

#include "models/checkpoint/network_weights.h"
#include "models/configs/config.h"
#include "models/embedder.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {

using Rows = std::vector<std::vector<float>>;

// Windows of these lengths, each once for every feature under each of some poolings: so the largest value of each row
// is that feature's own.
class EveryReadout {
 public:
  // lengths: in frames.
  EveryReadout(const NetworkWeights& weights, const MelSettings& mel, const std::vector<int>& lengths,
               const std::vector<Pooling>& poolings = {Pooling::kAvgCh, Pooling::kMaxCh, Pooling::kAddAvgMaxCh,
                                                       Pooling::kCatAvgMaxCh, Pooling::kAvgTime, Pooling::kAvgMaxTime});

  // Of network 0. Rows that could not be computed are a failure of the test, and hold no numbers.
  Rows Run(Embedder& embedder) const;

 private:
  std::vector<RandomWindow> windows_;
  std::vector<Readout> readouts_;
  std::vector<size_t> sizes_;
};

// The largest difference of a row, in parts of that row's largest value. A failure of the test where it is above
// `tolerance` or a value is not finite; `what` is in the message.
double LargestError(const Rows& ours, const Rows& theirs, double tolerance, const std::string& what);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_TORCH_EVERY_READOUT_H_
