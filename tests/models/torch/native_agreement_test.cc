// The two backends check each other: the same weights give the same numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "tests/fixtures/every_readout.h"
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
      const EveryReadout batch(*backends.weights, test.mel, {frames});
      const std::string what = absl::StrCat("width ", test.width, ", ", test.mel.n_mels, " mels, ", frames, " frames");
      largest_error =
          std::max(largest_error, LargestError(batch.Run(*backends.native->NewEmbedder().value()),
                                               batch.Run(*backends.torch->NewEmbedder().value()), kTolerance, what));
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
    const EveryReadout batch(*backends.weights, test.mel, lengths);
    const std::string what = absl::StrCat("width ", test.width, ", ", test.mel.n_mels, " mels");
    largest_error = std::max(largest_error,
                             LargestError(batch.Run(*backends.native->NewEmbedder().value()),
                                          batch.Run(*backends.torch->NewEmbedder().value()), kPaddedTolerance, what));
  }
  std::cout << "largest error " << largest_error << " of the largest value\n";
}

}  // namespace
}  // namespace hearwire
