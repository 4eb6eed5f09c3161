// The windows of a call's lanes, cut out of one clip's samples.

#ifndef HEARWIRE_SERVER_PIPELINE_WINDOW_CUTTER_H_
#define HEARWIRE_SERVER_PIPELINE_WINDOW_CUTTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/log_mel/window_stream.h"
#include "server/pipeline/call.h"

namespace hearwire {

// The next windows of a lane.
struct LaneCut {
  std::vector<StreamWindow> windows;
  bool has_ended = false;  // They are the lane's last of this clip.
};

// Of each lane.
using LaneWindows = std::vector<LaneCut>;

int64_t FramesOf(const std::vector<StreamWindow>& windows);
int64_t FramesOf(const LaneWindows& lanes);

// One WindowStream a lane, all of the same samples. One thread at a time.
class WindowCutter {
 public:
  // options: but for mel, which is the networks'.
  WindowCutter(const std::vector<LaneRequest>& lanes, WindowStreamOptions options);

  // The next samples of the clip. Only when the cutter waits for them. The errors are WindowStream's.
  absl::Status Append(absl::Span<const float> samples);
  // There are none any more. INVALID_ARGUMENT: they are too few for one of the lanes; none has given a window then.
  absl::Status Finish();

  // Whether Step has nothing to do before Append or Finish.
  bool is_waiting() const { return lane_ == streams_.size(); }

  // Goes on by WindowStream::kStepFrames, and appends the windows that are complete to those of their lane. has_ended
  // is set with the lane's last window. The errors are WindowStream::Step's: given when all lanes have come to theirs
  // or wait. Nothing may follow.
  absl::Status Step(LaneWindows* windows);

  // As WindowStream's, of the lane that is furthest behind.
  int64_t resume_sample() const;

 private:
  absl::Status status_;  // Why there are no streams, or the first that failed.
  std::vector<std::unique_ptr<WindowStream>> streams_;
  size_t lane_ = 0;  // That is cut; those before it wait for samples, or have ended.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_WINDOW_CUTTER_H_
