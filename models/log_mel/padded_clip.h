// A clip padded by reflection on both sides, pre-emphasised: read in place, never copied.

#ifndef HEARWIRE_MODELS_LOG_MEL_PADDED_CLIP_H_
#define HEARWIRE_MODELS_LOG_MEL_PADDED_CLIP_H_

#include <cstdint>

#include "absl/types/span.h"
#include "models/log_mel/frame_plan.h"

namespace hearwire {

// Position 0 lies `padding` samples before the clip's first. The clip stays its owner's.
class PaddedClip {
 public:
  // padding: less than the clip's length.
  PaddedClip(absl::Span<const float> clip, int64_t padding)
      : clip_(clip), padding_(padding), size_(static_cast<int64_t>(clip.size())) {}

  int64_t size() const { return size_ + 2 * padding_; }

  // Writes a frame's samples, before the Hann window: out[kFrameSamples].
  void CopyFrame(const FrameJob& job, float* out) const;

 private:
  float Sample(int64_t position) const;
  float PreEmphasised(int64_t position) const;  // position: 0 to size() - 2.
  // Writes the values at first, first - 1, …: out[count]. Returns how many.
  int64_t CopyMirrored(int64_t first, int64_t count, float* out) const;

  const absl::Span<const float> clip_;
  const int64_t padding_;
  const int64_t size_;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_PADDED_CLIP_H_
