#include "models/log_mel/mel_bank.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hearwire {
namespace {

double Mel(double hz) { return 1127 * std::log(1 + hz / 700); }

TEST(MelBankTest, WeighsBinsByTrianglesInMel) {
  for (const int n_mels : {40, 64, 128, 256}) {
    const MelBank& bank = GetMelBank(n_mels);
    ASSERT_EQ(bank.bands.size(), n_mels);
    const double step = Mel(15000) / (n_mels + 1);
    for (int band = 0; band < n_mels; ++band) {
      const MelBank::Band& entry = bank.bands[band];
      for (int bin = 0; bin < 512; ++bin) {
        const double expected = std::max(0.0, 1 - std::abs(Mel(bin * 31.25) / step - (band + 1)));
        const int i = bin - entry.first_bin;
        const bool stored = i >= 0 && i < entry.bin_count;
        EXPECT_NEAR(stored ? bank.weights[entry.first_weight + i] : 0, expected, 1e-4) << band << " of " << n_mels;
      }
    }
  }
}

TEST(MelBankTest, StoresNoZeros) {
  for (const float weight : GetMelBank(128).weights) EXPECT_GT(weight, 0);
}

TEST(MelBankTest, IsMadeOnce) { EXPECT_EQ(&GetMelBank(64), &GetMelBank(64)); }

}  // namespace
}  // namespace hearwire
