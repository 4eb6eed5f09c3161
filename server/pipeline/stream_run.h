// A call whose audio comes in pieces without end: a stream.
//
// Plan: one task prepares it while there is audio, credit, and room at the sink; else it is paused, and whatever it
// waits for makes it run again. One piece is prepared and one waits; a third is not asked for. A fault ends the audio
// where it lies, Stop ends it where preparation is: what is prepared is computed and delivered, then the stream ends
// with the error.

#ifndef HEARWIRE_SERVER_PIPELINE_STREAM_RUN_H_
#define HEARWIRE_SERVER_PIPELINE_STREAM_RUN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "server/pipeline/call_run.h"
#include "server/pipeline/stream_feed.h"

namespace hearwire {

class StreamRun final : public CallRun, public StreamCall {
 public:
  // request.call.sink is set already. The others as CallRun's.
  StreamRun(const PipelineParts& parts, StreamRequest request, std::unique_ptr<CallerRegistry::Number> caller,
            std::unique_ptr<Admission::Share> share, std::unique_ptr<StreamFeed> feed);

  // Asks for room. False: the call has ended.
  bool Start() ABSL_LOCKS_EXCLUDED(mu_);

  void AppendPiece(std::string bytes) override ABSL_LOCKS_EXCLUDED(mu_);
  void EndAudio(std::optional<CallError> fault) override ABSL_LOCKS_EXCLUDED(mu_);
  void Stop(CallError error) override ABSL_LOCKS_EXCLUDED(mu_);
  void Abandon() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnSinkHasRoom() override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  std::optional<CallError> ReserveRoom() ABSL_LOCKS_EXCLUDED(mu_);
  int64_t BytesOfReply() const override { return 0; }

  std::optional<int64_t> PrepareSlice() override ABSL_LOCKS_EXCLUDED(mu_);
  // Gives the feed the piece that waits, or the end. Whether it was a piece.
  bool FillFeed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Goes on for a slice's time, or until the windows are a piece. has_ended: set at the end of the audio.
  std::optional<CallError> Prepare(LaneWindows* windows, bool* has_ended);
  // Hands on the last windows. error: the stream ends with it.
  std::optional<CallError> Complete(std::optional<CallError> error, LaneWindows windows)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Whether a task has something to do.
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int Resume() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Schedules the task that Resume has made run, if it has.
  void Wake(int resumed);
  void OnFinish() override {}

  const std::shared_ptr<StreamSink> sink_;
  const std::unique_ptr<StreamFeed> feed_;  // The running task's, else mu_ guards it.

  std::optional<std::string> piece_ ABSL_GUARDED_BY(mu_);  // That waits.
  bool audio_has_ended_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<CallError> audio_fault_ ABSL_GUARDED_BY(mu_);  // That it has ended with.
  bool is_complete_ ABSL_GUARDED_BY(mu_) = false;              // No windows come any more.
  std::optional<CallError> stop_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_STREAM_RUN_H_
