// What the transform of a frame multiplies by.

#ifndef HEARWIRE_MODELS_LOG_MEL_FFT_TABLES_H_
#define HEARWIRE_MODELS_LOG_MEL_FFT_TABLES_H_

#include "models/log_mel/window_grid.h"

namespace hearwire {

// A complex root of unity, exp(-2 pi i x).
struct UnitRoot {
  float re = 1;
  float im = 0;
};

struct FftTables {
  UnitRoot first_pass[64][8];   // [k][m]: x = k m / 512.
  UnitRoot second_pass[8][8];   // [k][m]: x = k m / 64.
  UnitRoot separation[257];     // [bin]: x = bin / 1024.
  float window[kFrameSamples];  // Half the symmetric Hann window: the halves of the spectrum are added, not averaged.
};

// Made at the first call, for ever. Thread-safe.
const FftTables& GetFftTables();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_FFT_TABLES_H_
