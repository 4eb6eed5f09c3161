// One clip on its way from bytes to the windows of all lanes, step by step.

#ifndef HEARWIRE_SERVER_PIPELINE_CLIP_FEED_H_
#define HEARWIRE_SERVER_PIPELINE_CLIP_FEED_H_

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "server/audio/clip_decoder.h"
#include "server/audio/decode_audio.h"
#include "server/pipeline/call.h"
#include "server/pipeline/window_cutter.h"

namespace hearwire {

// Decodes a clip, once, and cuts it into windows for each lane. What it holds does not grow with the clip, but for the
// scene of a clip of at most 10 s, whose samples are held until its end. One thread at a time.
class ClipFeed {
 public:
  // request: its clips' bytes outlive this; the rest need not.
  ClipFeed(const CallRequest& request, int clip, const AudioLimits& limits);

  enum class Progress { kMore, kEnd };

  // Goes on by a few milliseconds of work at most, and appends the windows that are complete to those of their lane;
  // *windows has as many as there are. The errors are the clip's: INVALID_ARGUMENT, or RESOURCE_EXHAUSTED for one over
  // the limit; nothing may follow.
  std::variant<Progress, CallError> Step(LaneWindows* windows);

  // Decoded so far, at kSampleRateHz.
  int64_t samples() const { return samples_; }

 private:
  std::optional<CallError> Decode();
  CallError Bad(absl::Status status) const;

  const CallError bad_clip_;  // What every error of the clip has in common.
  ClipDecoder decoder_;
  WindowCutter cutter_;
  bool decoded_ = false;
  std::vector<float> piece_;
  int64_t samples_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CLIP_FEED_H_
