#include "models/weights/built_in_sounds.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "models/configs/config.h"

namespace hearwire {

std::vector<float> MakeChirp(int seconds) {
  constexpr double kLowHz = 80;
  constexpr double kHighHz = 12000;
  const double octaves = std::log(kHighHz / kLowHz);  // Natural ones.
  std::vector<float> samples(static_cast<size_t>(seconds) * kSampleRateHz);
  for (size_t n = 0; n < samples.size(); ++n) {
    const double t = static_cast<double>(n) / kSampleRateHz;
    const double cycles = kLowHz * seconds / octaves * (std::exp(t / seconds * octaves) - 1);
    samples[n] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * cycles));
  }
  return samples;
}

std::vector<float> MakeNoiseBurst() {
  std::vector<float> samples(12800);
  uint32_t state = 1;
  for (size_t n = 0; n < samples.size(); ++n) {
    state = 1664525 * state + 1013904223;  // Modulo 2^32.
    const double noise = state / 2147483648.0 - 1;
    const double phase = 2 * std::numbers::pi * static_cast<double>(n) / static_cast<double>(samples.size() - 1);
    samples[n] = static_cast<float>(0.25 * noise * (0.5 - 0.5 * std::cos(phase)));
  }
  return samples;
}

}  // namespace hearwire
