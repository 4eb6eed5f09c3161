// Kaldi's triangular mel bands over the bins of a 1024-point spectrum at 32 kHz, kept sparse.

#ifndef HEARWIRE_MODELS_LOG_MEL_MEL_BANK_H_
#define HEARWIRE_MODELS_LOG_MEL_MEL_BANK_H_

#include <vector>

namespace hearwire {

// The weights that are not zero: band after band, each a run of bins. Bins 1 to 511 only: bin 0 lies on the foot of the
// first triangle, and the bands end at 15 kHz.
struct MelBank {
  struct Band {
    int first_bin = 0;
    int bin_count = 0;
    int first_weight = 0;  // Index into `weights`.
  };
  std::vector<Band> bands;
  std::vector<float> weights;
};

// The bank of n_mels > 0 bands, equally wide in mel = 1127 ln(1 + f / 700) from 0 to 15 kHz. Made at the first call for
// that number and kept for ever. Thread-safe.
const MelBank& GetMelBank(int n_mels);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_MEL_BANK_H_
