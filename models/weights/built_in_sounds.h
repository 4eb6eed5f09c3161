// Sounds made by formula, at kSampleRateHz: what the program tests itself with, so that no recording has to be shipped.
//
// All are computed in double and rounded to float once.

#ifndef HEARWIRE_MODELS_WEIGHTS_BUILT_IN_SOUNDS_H_
#define HEARWIRE_MODELS_WEIGHTS_BUILT_IN_SOUNDS_H_

#include <vector>

namespace hearwire {

// A sine of amplitude 0.5 whose frequency rises exponentially from 80 Hz to 12 kHz within `seconds`, which must be > 0.
std::vector<float> MakeChirp(int seconds);

// 0.4 s of noise under a symmetric Hann window, amplitude 0.25: a linear congruential generator's numbers, from
// state 1.
std::vector<float> MakeNoiseBurst();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_WEIGHTS_BUILT_IN_SOUNDS_H_
