#include "server/pipeline/clip_size.h"

#include <algorithm>

#include "models/configs/config.h"

namespace hearwire {

int64_t LeastSamples(const CallRequest& request, int clip, const AudioLimits& limits) {
  int64_t samples = CountDecodedSamples(request.clips[clip], limits, kSampleRateHz);
  for (const LaneRequest& lane : request.lanes) samples = std::max(samples, lane.min_samples);
  return samples;
}

WindowCount CountWindows(const LaneRequest& lane, int64_t samples) {
  const MelSettings& mel = lane.network->info->mel;
  return lane.kind == LaneKind::kTimestamps ? CountTimestampWindows(samples, lane.timestamp_window_samples, mel)
                                            : CountSceneWindows(samples, mel);
}

}  // namespace hearwire
