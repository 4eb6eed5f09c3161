// The steps from one clip of a call to its windows, each of which may find fault with it.

#ifndef HEARWIRE_SERVER_PIPELINE_CLIP_PREPARATION_H_
#define HEARWIRE_SERVER_PIPELINE_CLIP_PREPARATION_H_

#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "models/log_mel/clip_windows.h"
#include "server/audio/decode_audio.h"
#include "server/pipeline/call.h"

namespace hearwire {

// Mono samples at kSampleRateHz, enough of them for a window. CANCELLED once is_cancelled says so, or
// take_room does not let the samples grow (see DecodeAudio).
std::variant<std::vector<float>, CallError> DecodeClip(const CallRequest& request, int clip, const AudioLimits& limits,
                                                       const std::function<bool()>& is_cancelled,
                                                       const std::function<bool(int64_t)>& take_room);

// The least that a clip can have, known without decoding it.
int64_t LeastSamples(const CallRequest& request, int clip, const AudioLimits& limits);

// Windows of a clip of so many samples, as many as DecodeClip lets through. Computes nothing.
WindowCount CountWindows(const CallRequest& request, int64_t samples);

std::variant<ClipWindows, CallError> MakeWindows(const CallRequest& request, int clip, absl::Span<const float> samples);

// The longest clip, rounded down to 0.1 s, whose windows have at most max_frames frames together; at most `limit`.
absl::Duration LongestClip(const CallRequest& request, int64_t max_frames, absl::Duration limit);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CLIP_PREPARATION_H_
