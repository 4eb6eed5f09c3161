// How a call ended: what was wrong with it, and where its time went.

#ifndef HEARWIRE_SERVER_PIPELINE_CALL_ERROR_H_
#define HEARWIRE_SERVER_PIPELINE_CALL_ERROR_H_

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/audio/decode_audio.h"

namespace hearwire {

// Why a call failed: the reason of a google.rpc.ErrorInfo.
namespace reason {
inline constexpr std::string_view kQueueFull = "QUEUE_FULL";                 // Too much waits; later it may fit.
inline constexpr std::string_view kTooManyCalls = "TOO_MANY_CALLS";          // Likewise, in calls.
inline constexpr std::string_view kTooManyStreams = "TOO_MANY_STREAMS";      // Likewise, in streams.
inline constexpr std::string_view kNoStreams = "NO_STREAMS";                 // This server takes none.
inline constexpr std::string_view kMemoryFull = "MEMORY_FULL";               // Likewise, in bytes.
inline constexpr std::string_view kDeadlineTooShort = "DEADLINE_TOO_SHORT";  // Not even an idle server would do.
inline constexpr std::string_view kReplyTooLarge = "REPLY_TOO_LARGE";        // Over max_reply_bytes.
inline constexpr std::string_view kAudioTooLong = "AUDIO_TOO_LONG";          // A clip over the decoded length allowed.
inline constexpr std::string_view kTooManyClips = "TOO_MANY_CLIPS";          // In one call.
inline constexpr std::string_view kDeviceMemory = "DEVICE_MEMORY";           // The device could not hold a batch.
inline constexpr std::string_view kInvalidRequest = "INVALID_REQUEST";       // A field other than a clip.
inline constexpr std::string_view kInvalidAudio = "INVALID_AUDIO";           // A clip cannot be read or embedded.
inline constexpr std::string_view kUnknownConfig = "UNKNOWN_CONFIG";
inline constexpr std::string_view kUnknownNetwork = "UNKNOWN_NETWORK";
inline constexpr std::string_view kUnknownHead = "UNKNOWN_HEAD";
inline constexpr std::string_view kNetworkNotLoaded = "NETWORK_NOT_LOADED";
inline constexpr std::string_view kNoHeads = "NO_HEADS";  // None is loaded.
inline constexpr std::string_view kReloadRefused = "RELOAD_REFUSED";
inline constexpr std::string_view kTokenMissing = "TOKEN_MISSING";  // Or it is not one "Bearer TOKEN".
inline constexpr std::string_view kTokenUnknown = "TOKEN_UNKNOWN";
inline constexpr std::string_view kNotPermitted = "NOT_PERMITTED";  // The token is not for this method.
inline constexpr std::string_view kCallerLimit =
    "CALLER_LIMIT";  // The caller's own, of calls, bytes, audio or streams.
inline constexpr std::string_view kStarting = "STARTING";
inline constexpr std::string_view kShuttingDown = "SHUTTING_DOWN";
inline constexpr std::string_view kDeviceLost = "DEVICE_LOST";
inline constexpr std::string_view kDeadline = "DEADLINE";
inline constexpr std::string_view kCancelled = "CANCELLED";
inline constexpr std::string_view kStreamIdle = "STREAM_IDLE";         // Its client neither sent nor read.
inline constexpr std::string_view kStreamTooLong = "STREAM_TOO_LONG";  // In time: another one can go on.
inline constexpr std::string_view kInternal = "INTERNAL";

// Those of calls that were refused for what the server can or may do, not for what was asked: exactly these are counted
// by hearwire_rejected_total{reason}, from zero.
inline constexpr std::array kRefusals = {kQueueFull,        kTooManyCalls,  kTooManyStreams, kMemoryFull,
                                         kDeadlineTooShort, kReplyTooLarge, kAudioTooLong,   kTooManyClips,
                                         kDeviceMemory,     kStarting,      kShuttingDown,   kDeviceLost,
                                         kTokenMissing,     kTokenUnknown,  kNotPermitted,   kCallerLimit};

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

// Where a call's time went.
struct CallTimes {
  absl::Duration decode;  // Work on all its clips up to their windows, summed over threads.
  absl::Duration queued;
  absl::Duration inference;
  absl::Duration share;  // Of inference, by its part of each batch's frames.
};

// Given with success and failure alike: as far as the call got.
struct CallReport {
  CallTimes times;
  absl::Duration audio;  // Decoded.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_ERROR_H_
