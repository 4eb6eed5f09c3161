#include "models/log_mel/fft_tables.h"

#include <cmath>
#include <numbers>

namespace hearwire {
namespace {

UnitRoot MakeUnitRoot(int numerator, int denominator) {
  const double angle = -2 * std::numbers::pi * numerator / denominator;
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

FftTables MakeFftTables() {
  FftTables tables;
  for (int m = 0; m < 8; ++m) {
    for (int k = 0; k < 64; ++k) tables.first_pass[k][m] = MakeUnitRoot(k * m, 512);
    for (int k = 0; k < 8; ++k) tables.second_pass[k][m] = MakeUnitRoot(k * m, 64);
  }
  for (int bin = 0; bin <= 256; ++bin) tables.separation[bin] = MakeUnitRoot(bin, 1024);
  for (int i = 0; i < kFrameSamples; ++i) {
    const double hann = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * i / (kFrameSamples - 1));
    tables.window[i] = 0.5f * static_cast<float>(hann);
  }
  return tables;
}

}  // namespace

const FftTables& GetFftTables() {
  static const FftTables tables = MakeFftTables();
  return tables;
}

}  // namespace hearwire
