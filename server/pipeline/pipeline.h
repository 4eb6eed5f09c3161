// From a call's audio to its rows: decoding, spectrograms, batching, and the rows put together in order.
//
// What is in memory is bounded, whatever callers send:
// - requests, decoded samples, spectrograms, rows and replies of all calls together by max_bytes_in_flight, reserved
//   before they are made (a request is there already when it is counted; the service's message limit and streams bound
//   that). A thread decodes one clip at a time and keeps its spectrogram, not its samples;
// - calls by max_calls; windows that wait, by the batcher's queue.

#ifndef HEARWIRE_SERVER_PIPELINE_PIPELINE_H_
#define HEARWIRE_SERVER_PIPELINE_PIPELINE_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "server/audio/decode_audio.h"
#include "server/pipeline/call.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

struct PipelineOptions {
  // Threads that decode and make spectrograms. A call's clips run on several of them; calls take turns clip by clip.
  int threads = 2;
  // As the batchers': a call with more frames than this never fits and is refused before its spectrograms are computed.
  int64_t max_queued_frames = 1 << 20;
  // Largest reply, in bytes. At most 2 GiB less one, which is protobuf's limit.
  int64_t max_reply_bytes = 64 << 20;
  // Calls that have been started and not answered.
  int max_calls = 1024;
  // Bytes held by them, as said above. A call that is alone is taken whatever it holds: it has its own limits.
  int64_t max_bytes_in_flight = int64_t{2} << 30;
  AudioLimits audio = {};
};

// Thread-safe.
class Pipeline {
 public:
  // INVALID_ARGUMENT names the option that is out of range. metrics and the batchers of the calls' networks must
  // outlive the pipeline.
  static absl::StatusOr<std::unique_ptr<Pipeline>> Create(const PipelineOptions& options, Metrics* metrics);
  // The batchers must have been shut down, so that every call is answered.
  virtual ~Pipeline() = default;

  // Starts a call; never blocks. its sink gets its rows, or the first of:
  // RESOURCE_EXHAUSTED: TOO_MANY_CALLS, MEMORY_FULL, QUEUE_FULL (try later), DEADLINE_TOO_SHORT, CALL_TOO_LARGE,
  // REPLY_TOO_LARGE, AUDIO_TOO_LONG (never); INVALID_ARGUMENT: INVALID_AUDIO, and which clip: the first bad one, in the
  // order of the request; DEADLINE_EXCEEDED, CANCELLED: looked at before each clip, when its windows are queued, and
  // when a batch is cut; UNAVAILABLE: SHUTTING_DOWN, DEVICE_LOST; INTERNAL. All clips or none: a call's windows go to
  // the batcher together.
  virtual void Start(CallRequest request) = 0;

  // From now on new calls, and those that no batcher has taken yet, are answered UNAVAILABLE, SHUTTING_DOWN. Calls
  // that one has taken are answered by it. Does not block.
  virtual void BeginShutdown() = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_PIPELINE_H_
