// One call on its way through the pipeline, from its first clip to its answer.
//
// Plan: the call is let in (Start, in call_run_admission.cc), or refused before anything is decoded. Its clips are
// prepared in slices of a few milliseconds, each on whatever thread of the pool is free (PrepareSlice): windows go to
// the batchers as they come. While a fixed number of frames is prepared and not computed (the credit), preparation
// pauses; what batches compute resumes it. Rows go to the sink in order as soon as they are there (OnComputed), so the
// call holds a bounded piece of its clips, whatever their length.

#ifndef HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_
#define HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/batching/batcher.h"
#include "server/concurrency/mutex.h"
#include "server/pipeline/admission.h"
#include "server/pipeline/call.h"
#include "server/pipeline/call_lane.h"
#include "server/pipeline/caller_registry.h"
#include "server/pipeline/clip_feed.h"
#include "server/pipeline/pipeline.h"
#include "server/pipeline/preparation_pool.h"
#include "server/pipeline/prepared_windows.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

// What all calls of a pipeline share. Outlives every CallRun's work.
struct PipelineParts {
  const PipelineOptions& options;
  Metrics* metrics;
  PreparationPool* threads;
  const std::atomic<bool>& shutting_down;
};

// Held by the tasks that run it and by the CallWork of its lanes; all let go when it has ended.
class CallRun : public std::enable_shared_from_this<CallRun> {
 public:
  // share: what was reserved for the call when it was let in.
  CallRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<CallerRegistry::Number> caller,
          std::unique_ptr<Admission::Share> share);

  // Asks the batchers for room and schedules the preparation of its clips. Everything else follows.
  void Start() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // A clip that is being prepared.
  struct OpenClip {
    OpenClip(const CallRequest& request, int clip, const AudioLimits& limits)
        : index(clip), feed(request, clip, limits) {}

    const int index;
    ClipFeed feed;
    int64_t reported_samples = 0;
  };
  // What is known of the call before anything is decoded.
  struct KnownSize {
    int64_t samples = 0;
    std::vector<Reservation> lanes;
    bool complete = true;  // Else there may be more.
  };

  // --- Sizes.
  KnownSize MeasureClips() const;
  std::optional<CallError> ReserveRoom(const KnownSize& known) ABSL_LOCKS_EXCLUDED(mu_);
  // Takes room in the reply for the lane's rows, as many as are now known. at_least: there may be more.
  std::optional<CallError> TakeReplyRoom(CallLane* lane, int64_t rows, bool at_least)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  CallError NoMemory() const;
  // All lanes are let in by their batchers, or those that were are given up when the call ends.
  std::optional<CallError> EnterBatchers(const KnownSize& known) ABSL_LOCKS_EXCLUDED(mu_);

  // --- Preparation. There are as many tasks as the call may use threads; each is scheduled, running, or paused.
  void Schedule(int64_t samples_left);
  // A task's next slice. As PreparationPool::Slice.
  std::optional<int64_t> PrepareSlice() ABSL_LOCKS_EXCLUDED(mu_);
  // The first clip that no task works on, or else the next one, opened. Null: there is none.
  std::unique_ptr<OpenClip> TakeClip() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Goes on with a clip for a slice's time, or until its windows are a piece. ended: set when the clip has.
  std::optional<CallError> Prepare(OpenClip* clip, LaneWindows* windows, bool* ended) const;
  // Hands a clip's windows to the batchers; ended: they are its last.
  std::optional<CallError> Append(int clip, bool ended, LaneWindows windows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<CallError> AppendTo(CallLane* lane, int clip, bool ended, bool complete,
                                    std::vector<StreamWindow> windows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CloseClip() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteFault(int clip, CallError error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether a task has another slice to do now. False: it is paused or has ended, and is counted so.
  bool GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells the batchers whether windows will come soon.
  void Announce(bool announced) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether anybody still waits and the server still serves.
  std::optional<CallError> WhyStop() const;

  // --- Answers.
  void OnComputed(size_t lane, int64_t first_window, int64_t count) ABSL_LOCKS_EXCLUDED(mu_);
  void OnBatched(size_t lane, const absl::Status& status, const BatchTimes& times) ABSL_LOCKS_EXCLUDED(mu_);
  // Hands what is complete to the sink, one thread at a time, and ends the call when nothing is left of it.
  void Deliver() ABSL_LOCKS_EXCLUDED(mu_);
  // The lane's number, and its oldest piece that is computed whole.
  std::optional<std::pair<size_t, PreparedWindows::Piece>> TakePiece() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsAllDelivered() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<CallError> GiveRows(size_t lane, const PreparedWindows::Piece& piece);
  // Ends the call, with the error if there is one. Only the first end counts. While rows are being delivered, whoever
  // delivers ends it.
  void Finish(std::optional<CallError> error) ABSL_LOCKS_EXCLUDED(mu_);

  const PipelineParts parts_;
  const CallRequest request_;
  const int64_t credit_frames_;
  const int clip_count_;
  const std::unique_ptr<CallerRegistry::Number> caller_;

  Mutex mu_;
  std::deque<CallLane> lanes_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<Admission::Share> share_ ABSL_GUARDED_BY(mu_);  // Until the end.
  int64_t reply_bytes_ ABSL_GUARDED_BY(mu_) = 0;                  // For which it has room.

  int next_clip_ ABSL_GUARDED_BY(mu_) = 0;
  int open_clips_ ABSL_GUARDED_BY(mu_) = 0;  // Begun and not ended.
  // Of these, those that no task works on.
  std::vector<std::unique_ptr<OpenClip>> waiting_clips_ ABSL_GUARDED_BY(mu_);
  int64_t samples_left_ ABSL_GUARDED_BY(mu_) = 0;  // To be decoded, as far as is known.
  int tasks_ ABSL_GUARDED_BY(mu_) = 0;             // Scheduled or running.
  int paused_tasks_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<CallError> error_ ABSL_GUARDED_BY(mu_);  // Of failed_clip_, the lowest that failed.
  int failed_clip_ ABSL_GUARDED_BY(mu_) = -1;

  int64_t prepared_frames_ ABSL_GUARDED_BY(mu_) = 0;  // And not computed, of all lanes.
  bool delivering_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<CallError> late_end_ ABSL_GUARDED_BY(mu_);  // For whoever delivers.
  CallReport report_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_
