// The kernel of the front end: frames of samples in, log-mel frames out, several at a time across vector lanes.

#ifndef HEARWIRE_MODELS_LOG_MEL_LOG_MEL_FRAMES_H_
#define HEARWIRE_MODELS_LOG_MEL_LOG_MEL_FRAMES_H_

#include <cstddef>

#include "absl/types/span.h"
#include "hwy/aligned_allocator.h"
#include "models/log_mel/mel_bank.h"

namespace hearwire {

// Computes up to kMaxFrames frames at a time. Holds their samples, 54 kB; what the kernels work in, 110 kB on 128
// bands, is the thread's, whatever the number of these. One thread at a time.
class LogMelFrames {
 public:
  static constexpr int kMaxFrames = 16;

  // bank: outlives this.
  explicit LogMelFrames(const MelBank& bank);

  // Where frame i's pre-emphasised samples go, [kFrameSamples]. Not set until they are written.
  float* samples(int i) { return samples_.get() + static_cast<size_t>(i) * kSampleStride; }

  // Writes the log-mel frame of samples(i) to rows[i], [mels], for each row. A frame's numbers do not depend on its
  // place or on the others. Returns false when a value is not finite.
  bool Compute(absl::Span<float* const> rows);

  // What the kernels work in.
  struct Workspace {
    float* samples;   // [kMaxFrames, kSampleStride]; those of lanes without a frame are overwritten.
    float* spectrum;  // [512, 2, lanes]
    float* power;     // [512, lanes]
    float* log_mel;   // [mels, lanes]
  };
  // Not a power of two, which would crowd all frames into a few sets of the cache.
  static constexpr size_t kSampleStride = 848;

 private:
  const MelBank& bank_;
  const hwy::AlignedFreeUniquePtr<float[]> samples_;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_LOG_MEL_FRAMES_H_
