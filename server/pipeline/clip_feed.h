// One clip on its way from bytes to windows, step by step.

#ifndef HEARWIRE_SERVER_PIPELINE_CLIP_FEED_H_
#define HEARWIRE_SERVER_PIPELINE_CLIP_FEED_H_

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "models/log_mel/window_stream.h"
#include "server/audio/clip_decoder.h"
#include "server/audio/decode_audio.h"
#include "server/pipeline/call.h"

namespace hearwire {

// Decodes a clip and cuts it into windows. What it holds does not grow with the clip, but for the scene of a clip of at
// most 10 s, whose samples are held until its end. One thread at a time.
class ClipFeed {
 public:
  // request: its clips' bytes outlive this; the rest need not.
  ClipFeed(const CallRequest& request, int clip, const AudioLimits& limits);

  enum class Progress { kMore, kEnd };

  // Goes on by a few milliseconds of work at most, and appends the windows that are complete. The errors are the
  // clip's: INVALID_ARGUMENT, or RESOURCE_EXHAUSTED for one over the limit; nothing may follow.
  std::variant<Progress, CallError> Step(std::vector<StreamWindow>* windows);

  // Decoded so far, at kSampleRateHz.
  int64_t samples() const { return samples_; }

 private:
  std::variant<Progress, CallError> Decode();
  std::variant<Progress, CallError> Cut(std::vector<StreamWindow>* windows);
  CallError Bad(absl::Status status) const;

  const CallError bad_clip_;  // What every error of the clip has in common.
  ClipDecoder decoder_;
  absl::StatusOr<std::unique_ptr<WindowStream>> windows_;
  std::vector<float> piece_;
  int64_t samples_ = 0;
  bool waiting_ = true;  // The windows, for samples.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CLIP_FEED_H_
