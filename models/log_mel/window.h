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
  std::array<Run, 3> runs;  // Own left edge, shared middle, own right edge; any may be empty.
  int mels = 0;

  int frame_count() const { return runs[0].frame_count + runs[1].frame_count + runs[2].frame_count; }
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_WINDOW_H_
