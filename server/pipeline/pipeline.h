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
#include <functional>
#include <memory>
#include <optional>
#include <string>

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
  // As Admission's. Asked from several threads at once.
  std::function<bool(int64_t)> has_room = nullptr;
  AudioLimits audio = {};
};

// Frames that a stream may have prepared and not computed before its preparation pauses: half a batch of the CPU's, or
// a few seconds of audio. And the most that it may have then: its last slice begins below that and makes half of it.
inline constexpr int64_t kStreamFrames = 2048;
inline constexpr int64_t kMostStreamFrames = kStreamFrames + kStreamFrames / 2;

// A stream that was started. Thread-safe; nothing blocks, and nothing has an effect after OnEnd.
class StreamCall {
 public:
  virtual ~StreamCall() = default;

  // The next bytes of the audio, which may begin and end within a sample. Only once OnPieceTaken has come for the one
  // before.
  virtual void AppendPiece(std::string bytes) = 0;
  // There are none any more. fault: because of an error of the client's, with which the stream ends once the rows have
  // been given that the pieces before it tell; nothing of the end itself is then.
  virtual void EndAudio(std::optional<CallError> fault) = 0;
  // Ends the stream with the error once the rows that are prepared by then have been given to the sink. The error gets
  // the facts by which another stream can go on: resume_sample (its first_sample) and timestamp_rows (how many this
  // one has given).
  virtual void Stop(CallError error) = 0;
  // Ends the stream at once: its client has gone.
  virtual void Abandon() = 0;
  // StreamSink::IsFull has become false.
  virtual void OnSinkHasRoom() = 0;
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

  // Starts a stream; never blocks. Null: the sink's OnEnd has been called. Its lanes' windows are batched with those of
  // everybody and count as its caller's; max_decoded does not apply. Its memory does not grow: while a fixed number
  // of frames is prepared and not computed, or the sink is full, it takes no audio. Its request_bytes are those of the
  // pieces and messages that the caller holds for it. Errors as of Start, those of clips without a
  // clip: INVALID_ARGUMENT names the field (of AudioField) of the format, or what is wrong with the samples.
  virtual std::shared_ptr<StreamCall> StartStream(StreamRequest request) = 0;

  // From now on new calls, and those that no batcher has taken yet, are answered UNAVAILABLE, SHUTTING_DOWN. Calls
  // that one has taken are answered by it. Does not block.
  virtual void BeginShutdown() = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_PIPELINE_H_
