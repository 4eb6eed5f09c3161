// From a call's audio to its rows: decoding, spectrograms, batching, and the rows put together in order.
//
// What is in memory is bounded, whatever callers send:
// - requests, what clips hold while they are prepared, spectrograms and rows that wait, and replies of all calls
//   together by max_bytes_in_flight, reserved before they are made (a request is there already when it is counted; the
//   service's message limit and streams bound that). Replies count until they have left. Of a clip, whatever its
//   length, no more of its spectrogram is held than the batcher gives it credit for;
// - calls by max_calls; work that waits, by the batcher's queue.

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
  // Threads that decode and make spectrograms. A call's clips run on several of them; calls take turns every few
  // milliseconds.
  int threads = 2;
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

  // Starts a call; never blocks. Its sink gets its rows, or the first of:
  // RESOURCE_EXHAUSTED: TOO_MANY_CALLS, MEMORY_FULL, QUEUE_FULL (try later), DEADLINE_TOO_SHORT,
  // REPLY_TOO_LARGE,
  // AUDIO_TOO_LONG (never); INVALID_ARGUMENT: INVALID_AUDIO, and which clip: the first bad one, in the order of the
  // request; DEADLINE_EXCEEDED, CANCELLED: looked at when it is let in, before each slice of preparation, and when a
  // batch is cut; UNAVAILABLE: SHUTTING_DOWN, DEVICE_LOST; INTERNAL. What the call needs is reserved when it is let in,
  // or it is refused before anything is decoded; what its headers do not tell is reserved as it grows.
  virtual void Start(CallRequest request) = 0;

  // From now on new calls, and those that no batcher has taken yet, are answered UNAVAILABLE, SHUTTING_DOWN. Calls
  // that one has taken are answered by it. Does not block.
  virtual void BeginShutdown() = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_PIPELINE_H_
