// One RPC as the pipeline sees it: what goes in, what comes out, and what can be wrong.

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
#include "server/pipeline/network_catalog.h"

namespace hearwire {

enum class CallKind {
  kScene,       // One row per clip; the mean of its windows' rows when it is long.
  kTimestamps,  // One row every 50 ms.
  kTags,        // As kScene, then the sigmoid of every value: the readout is the logits.
};

// Why a call failed: the reason of a google.rpc.ErrorInfo.
namespace reason {
inline constexpr std::string_view kQueueFull = "QUEUE_FULL";            // Too much waits; later it may fit.
inline constexpr std::string_view kTooManyCalls = "TOO_MANY_CALLS";     // Likewise, in calls.
inline constexpr std::string_view kMemoryFull = "MEMORY_FULL";          // Likewise, in bytes.
inline constexpr std::string_view kCallTooLarge = "CALL_TOO_LARGE";     // Larger than the whole queue.
inline constexpr std::string_view kReplyTooLarge = "REPLY_TOO_LARGE";   // Over max_reply_bytes.
inline constexpr std::string_view kAudioTooLong = "AUDIO_TOO_LONG";     // A clip over the decoded length allowed.
inline constexpr std::string_view kTooManyClips = "TOO_MANY_CLIPS";     // In one call.
inline constexpr std::string_view kDeviceMemory = "DEVICE_MEMORY";      // The device could not hold a batch.
inline constexpr std::string_view kInvalidRequest = "INVALID_REQUEST";  // A field other than a clip.
inline constexpr std::string_view kInvalidAudio = "INVALID_AUDIO";      // A clip cannot be read or embedded.
inline constexpr std::string_view kUnknownConfig = "UNKNOWN_CONFIG";
inline constexpr std::string_view kUnknownNetwork = "UNKNOWN_NETWORK";
inline constexpr std::string_view kNetworkNotLoaded = "NETWORK_NOT_LOADED";
inline constexpr std::string_view kStarting = "STARTING";
inline constexpr std::string_view kShuttingDown = "SHUTTING_DOWN";
inline constexpr std::string_view kDeviceLost = "DEVICE_LOST";
inline constexpr std::string_view kDeadline = "DEADLINE";
inline constexpr std::string_view kCancelled = "CANCELLED";
inline constexpr std::string_view kInternal = "INTERNAL";

// Those of calls that were refused for what the server can or may do, not for what was asked: exactly these are counted
// by hearwire_rejected_total{reason}, from zero.
inline constexpr std::array kRefusals = {kQueueFull,     kTooManyCalls, kMemoryFull,   kCallTooLarge,
                                         kReplyTooLarge, kAudioTooLong, kTooManyClips, kDeviceMemory,
                                         kStarting,      kShuttingDown, kDeviceLost};

constexpr bool IsRefusal(std::string_view reason) {
  return std::find(kRefusals.begin(), kRefusals.end(), reason) != kRefusals.end();
}
}  // namespace reason

struct CallError {
  absl::Status status;  // Not OK.
  std::string_view reason = reason::kInternal;
  // When trying again may help: after this long. Nothing: it will not, or the code says enough.
  std::optional<absl::Duration> retry_after = {};
  // Whether the same call can never succeed here, although its code is one that callers retry.
  bool never_retry = false;
  // What is wrong with which clip, when it is one clip's fault; the message does not repeat it.
  std::optional<int> clip = {};
  AudioField field = AudioField::kSource;
  // Further facts under the names of google.rpc.ErrorInfo's metadata.
  std::vector<std::pair<std::string, std::string>> facts = {};
};

// How many bytes a reply takes: fixed + clips x per_clip + rows x per_row. An upper bound.
struct ReplySize {
  int64_t fixed = 0;
  int64_t per_clip = 0;
  int64_t per_row = 0;
};

// Where a call's time went.
struct CallTimes {
  absl::Duration decode;  // Work on all its clips up to their windows, summed over threads.
  absl::Duration queued;
  absl::Duration inference;
};

struct CallResult {
  int row_size = 0;
  std::vector<int64_t> rows_per_clip = {};  // All 1 except for timestamps.
  std::vector<float> rows = {};             // [sum of rows_per_clip, row_size], clip after clip; finite.
};

// Given with success and failure alike: as far as the call got.
struct CallReport {
  CallTimes times;
  absl::Duration audio;  // Decoded.
};

using CallDone = std::function<void(std::variant<CallResult, CallError>, const CallReport&)>;

struct CallRequest {
  CallKind kind = CallKind::kScene;
  const LoadedNetwork* network = nullptr;  // Placed.
  Readout readout = {};
  int timestamp_window_samples = 0;  // kTimestamps only.
  int64_t min_samples = 0;           // The shortest clip that has a window.
  // Views; what they view lives until `done` has been called.
  std::vector<AudioSource> clips = {};
  int64_t request_bytes = 0;  // What the views keep in memory.
  ReplySize reply = {};
  SteadyTime deadline = SteadyTime::InfiniteFuture();
  // The caller sets work->cancelled when nobody waits for the answer any more; the rest is the pipeline's.
  std::shared_ptr<CallWork> work = std::make_shared<CallWork>();
  // Called exactly once, on the caller's thread before Start returns, on one of the pipeline's, or as
  // CallWork::done is. It must not block.
  CallDone done = {};
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_H_
