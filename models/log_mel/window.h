// A window: a run of spectrogram frames that makes one row.

#ifndef HEARWIRE_MODELS_LOG_MEL_WINDOW_H_
#define HEARWIRE_MODELS_LOG_MEL_WINDOW_H_

#include <array>

namespace hearwire {

// A view of frames that stay their owner's. Neighbouring windows share their inner frames; the outermost ones see each
// window's own reflection and are its own. Frame t is found in the run that holds it; runs follow one another in time.
struct Window {
  struct Run {
    const float* frames = nullptr;  // [frame_count, mels], frame after frame.
    int frame_count = 0;
  };
  // Own left edge, shared middle in up to kMaxMiddleRuns runs, own right edge; any may be empty.
  static constexpr int kMaxMiddleRuns = 6;
  std::array<Run, kMaxMiddleRuns + 2> runs;
  int mels = 0;

  int frame_count() const {
    int count = 0;
    for (const Run& run : runs) count += run.frame_count;
    return count;
  }
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_WINDOW_H_
