// How much work a clip is, told without decoding it.

#ifndef HEARWIRE_SERVER_PIPELINE_CLIP_SIZE_H_
#define HEARWIRE_SERVER_PIPELINE_CLIP_SIZE_H_

#include <cstdint>

#include "models/log_mel/clip_windows.h"
#include "server/audio/decode_audio.h"
#include "server/pipeline/call.h"

namespace hearwire {

// The least that a clip can have, in samples at kSampleRateHz: what its source says, or the shortest of which every
// lane makes something.
int64_t LeastSamples(const CallRequest& request, int clip, const AudioLimits& limits);

// Windows that the lane makes of a clip of so many samples, at least lane.min_samples.
WindowCount CountWindows(const LaneRequest& lane, int64_t samples);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CLIP_SIZE_H_
