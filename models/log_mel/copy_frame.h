// A frame's samples, out of a clip that is reflected at its ends.

#ifndef HEARWIRE_MODELS_LOG_MEL_COPY_FRAME_H_
#define HEARWIRE_MODELS_LOG_MEL_COPY_FRAME_H_

#include <cstdint>
#include <limits>

#include "models/log_mel/sample_history.h"
#include "models/log_mel/window_grid.h"

namespace hearwire {

// A frame to compute. Positions count pre-emphasised samples of the clip, each of which takes the clip's sample at its
// position and the next. What the frame sees outside [window_begin, window_end) is the reflection of what is inside.
struct FrameJob {
  int64_t first_sample = 0;  // Of kFrameSamples.
  int64_t window_begin = 0;
  int64_t window_end = 0;
};

// Of a clip that goes on, and of which no frame sees the end.
inline constexpr int64_t kUnknownSize = std::numeric_limits<int64_t>::max();

// Writes a frame's pre-emphasised samples, before the Hann window: out[kFrameSamples]. `clip` holds those of its
// samples that the frame sees; its first has index 0. The window reaches over the clip's ends by less than the clip's
// length.
void CopyFrame(const SampleHistory& clip, int64_t clip_size, const FrameJob& job, float* out);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_COPY_FRAME_H_
