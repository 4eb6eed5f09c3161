#include "server/pipeline/clip_size.h"

#include <algorithm>

#include "models/configs/config.h"

namespace hearwire {

int64_t LeastSamples(const CallRequest& request, int clip, const AudioLimits& limits) {
  // Shorter ones are refused.
  return std::max(CountDecodedSamples(request.clips[clip], limits, kSampleRateHz), request.min_samples);
}

WindowCount CountWindows(const CallRequest& request, int64_t samples) {
  const MelSettings& mel = request.network->info->mel;
  return request.kind == CallKind::kTimestamps ? CountTimestampWindows(samples, request.timestamp_window_samples, mel)
                                               : CountSceneWindows(samples, mel);
}

}  // namespace hearwire
