#include "models/log_mel/mel_bank.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "models/configs/config.h"

namespace hearwire {
namespace {

constexpr int kFftSize = 1024;
constexpr double kHighestHz = 15000;

// In single precision, as the networks were trained with: the triangles are narrow enough for the difference to show.
float MelScale(float hz) { return 1127.0f * std::log(1.0f + hz / 700.0f); }

MelBank MakeMelBank(int n_mels) {
  const double highest_mel = 1127.0 * std::log(1.0 + kHighestHz / 700.0);
  const float band_step = static_cast<float>(highest_mel / (n_mels + 1));
  const float bin_width_hz = static_cast<float>(kSampleRateHz) / kFftSize;
  MelBank bank;
  for (int band = 0; band < n_mels; ++band) {
    const float left = static_cast<float>(band) * band_step;
    const float centre = static_cast<float>(band + 1) * band_step;
    const float right = static_cast<float>(band + 2) * band_step;
    MelBank::Band entry{.first_weight = static_cast<int>(bank.weights.size())};
    for (int bin = 1; bin < kFftSize / 2; ++bin) {
      const float mel = MelScale(bin_width_hz * static_cast<float>(bin));
      const float weight = std::min((mel - left) / (centre - left), (right - mel) / (right - centre));
      if (weight <= 0) continue;
      if (entry.bin_count == 0) entry.first_bin = bin;
      ++entry.bin_count;
      bank.weights.push_back(weight);
    }
    bank.bands.push_back(entry);
  }
  return bank;
}

}  // namespace

const MelBank& GetMelBank(int n_mels) {
  static std::mutex mu;
  static std::map<int, MelBank>& banks = *new std::map<int, MelBank>;  // Nodes never move; never destroyed.
  const std::lock_guard<std::mutex> lock(mu);
  const auto [it, is_new] = banks.try_emplace(n_mels);
  if (is_new) it->second = MakeMelBank(n_mels);
  return it->second;
}

}  // namespace hearwire
