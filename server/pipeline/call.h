// One RPC as the pipeline sees it: what goes in.

#ifndef HEARWIRE_SERVER_PIPELINE_CALL_H_
#define HEARWIRE_SERVER_PIPELINE_CALL_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "models/configs/feature.h"
#include "server/audio/decode_audio.h"
#include "server/batching/call_work.h"
#include "server/concurrency/steady_time.h"
#include "server/pipeline/call_error.h"
#include "server/pipeline/network_catalog.h"
#include "server/pipeline/reply_sink.h"

namespace hearwire {

enum class LaneKind {
  kScene,       // The windows of which a clip's scene is the mean: one for most clips.
  kTimestamps,  // A window every 50 ms.
};

// What one network makes of every clip of a call.
struct LaneRequest {
  LaneKind kind = LaneKind::kScene;
  std::shared_ptr<const LoadedNetwork> network = nullptr;  // Placed; the call's until it has ended.
  std::vector<Readout> readouts = {};                      // At least one; a row is theirs, one after the other.
  int timestamp_window_samples = 0;                        // kTimestamps only.
  int64_t min_samples = 0;                                 // The shortest clip that has a window.
  // The sink's owner sets work->cancelled when nobody waits for the answer any more; the rest is the pipeline's.
  std::shared_ptr<CallWork> work = std::make_shared<CallWork>();
};

// How many bytes a reply takes: fixed + clips x per_clip + rows of each lane x its per_row. An upper bound. A scene
// lane has one row a clip.
struct ReplySize {
  int64_t fixed = 0;
  int64_t per_clip = 0;
  std::vector<int64_t> per_row = {};
  // Bytes of memory for each of these: the message, and its bytes on their way out.
  int64_t held_per_byte = 2;
};

struct CallRequest {
  std::vector<LaneRequest> lanes = {};  // At least one.
  // Views; what they view lives until the sink's OnEnd.
  std::vector<AudioSource> clips = {};
  int64_t request_bytes = 0;  // What the views keep in memory.
  ReplySize reply = {};
  SteadyTime deadline = SteadyTime::InfiniteFuture();
  // Who asks: calls of one name are one caller's, and callers share the server.
  std::string caller = {};
  int caller_weight = 1;  // From 1 to 1000: by it callers share.
  // Outlives the call. It may be called on the caller's thread before Start returns.
  ReplySink* sink = nullptr;
};

// One stream: audio without end, in pieces.
struct StreamRequest {
  CallRequest call;  // Without clips, reply and sink.
  PcmAudio format;   // Without samples.
  // Index of the first sample in the recording, at the input's rate, for a stream that goes on where another ended:
  // 0 to PcmStream::kMaxFirstSample. Windows that reach before it are left out.
  int64_t first_sample = 0;
  std::shared_ptr<StreamSink> sink = {};
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_H_
