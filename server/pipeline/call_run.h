// What every call does on its way through the pipeline, wherever its audio comes from: ClipsRun, StreamRun.
//
// Plan: the batchers of its lanes let the call in (EnterBatchers). Its audio is prepared in slices of a few
// milliseconds (PrepareSlice): windows go to the batchers as they come (Append). While a fixed number of frames is
// prepared and not computed (the credit), preparation pauses; what batches compute resumes it (Resume). Rows go to the
// sink in order as soon as they are there (OnComputed), so the call holds a bounded piece of its audio, whatever its
// length.

#ifndef HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_
#define HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
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
#include "server/pipeline/pipeline.h"
#include "server/pipeline/preparation_pool.h"
#include "server/pipeline/prepared_windows.h"
#include "server/pipeline/window_cutter.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

// What all calls of a pipeline share. Outlives every CallRun's work.
struct PipelineParts {
  const PipelineOptions& options;
  Metrics* metrics;
  PreparationPool* threads;
  const std::atomic<bool>& shutting_down;
};

// Held by the tasks that prepare it and by the CallWork of its lanes; all let go when it has ended.
class CallRun : public std::enable_shared_from_this<CallRun> {
 public:
  CallRun(const CallRun&) = delete;
  CallRun& operator=(const CallRun&) = delete;
  virtual ~CallRun() = default;

 protected:
  static constexpr int64_t kAllCredit = std::numeric_limits<int64_t>::max();

  // share: what was reserved for the call when it was let in. The credit is what the batchers of all lanes allow, at
  // most most_credit_frames.
  CallRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<CallerRegistry::Number> caller,
          std::unique_ptr<Admission::Share> share, int64_t most_credit_frames);

  // What a call holds while a clip of it is being prepared.
  int64_t OpenClipBytes() const;
  // What `frames` prepared frames of a lane and their rows take, `per_window` of them making a window.
  static int64_t PreparedBytes(const LaneRequest& lane, int row_size, int64_t frames, int64_t per_window);
  CallError NoMemory() const;

  // All lanes are let in by their batchers, or those that were are given up when the call ends.
  std::optional<CallError> EnterBatchers(const std::vector<Reservation>& lanes) ABSL_LOCKS_EXCLUDED(mu_);

  // --- Preparation.
  void Schedule(int64_t samples_left);
  // Likewise, perhaps with the first slice at once.
  void RunOrSchedule(int64_t samples_left);
  // A task's next slice. As PreparationPool::Slice.
  virtual std::optional<int64_t> PrepareSlice() ABSL_LOCKS_EXCLUDED(mu_) = 0;
  // Makes the paused tasks run that may go on now, and returns how many; they are to be scheduled.
  virtual int Resume() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) = 0;
  bool HasCredit() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return prepared_frames_ < credit_frames_; }
  // Paused preparation goes on from here.
  bool HasHalfItsCredit() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return prepared_frames_ <= credit_frames_ / 2; }
  // A slice ends when it has made so many.
  int64_t MostFramesOfSlice() const { return credit_frames_ / 2; }

  // Hands a clip's next windows to the batchers. complete: they are the call's last.
  std::optional<CallError> Append(int clip, bool complete, LaneWindows windows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A slice has decoded so many samples, and took so long.
  void Account(int64_t samples, absl::Duration spent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells the batchers whether windows will come soon.
  void Announce(bool announced) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether anybody still waits and the server still serves.
  std::optional<CallError> WhyStop() const;

  // --- The end.
  // Ends the call, with the error if there is one. Only the first end counts. While rows are being delivered, whoever
  // delivers ends it.
  void Finish(std::optional<CallError> error) ABSL_LOCKS_EXCLUDED(mu_);
  // As Finish, of a call that is not prepared yet, or not whole: it is counted where its caller has gone.
  void EndWhilePreparing(CallError error) ABSL_LOCKS_EXCLUDED(mu_);
  // The call has ended: nothing is prepared any more.
  virtual void OnFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) = 0;
  // What it holds until its reply has left.
  virtual int64_t BytesOfReply() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) = 0;

  const PipelineParts parts_;
  const CallRequest request_;
  const std::unique_ptr<CallerRegistry::Number> caller_;

  Mutex mu_;
  std::deque<CallLane> lanes_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<Admission::Share> share_ ABSL_GUARDED_BY(mu_);  // Until the end.
  int tasks_ ABSL_GUARDED_BY(mu_) = 0;                            // That prepare, scheduled or running.
  int64_t samples_left_ ABSL_GUARDED_BY(mu_) = 0;                 // To be decoded, as far as is known.
  CallReport report_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  // What the call ends with when all its windows are delivered; null: it has succeeded.
  std::optional<CallError> last_word_ ABSL_GUARDED_BY(mu_);

 private:
  std::optional<CallError> AppendTo(CallLane* lane, int clip, bool complete, LaneCut cut)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnComputed(size_t lane, int64_t first_window, int64_t count) ABSL_LOCKS_EXCLUDED(mu_);
  void OnBatched(size_t lane, const absl::Status& status, const BatchTimes& times) ABSL_LOCKS_EXCLUDED(mu_);
  // Hands what is complete to the sink, one thread at a time, and ends the call when nothing is left of it.
  void Deliver() ABSL_LOCKS_EXCLUDED(mu_);
  // The lane's number, and its oldest piece that is computed whole.
  std::optional<std::pair<size_t, PreparedWindows::Piece>> TakePiece() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsAllDelivered() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<CallError> GiveRows(size_t lane, const PreparedWindows::Piece& piece);

  const int64_t credit_frames_;

  int64_t prepared_frames_ ABSL_GUARDED_BY(mu_) = 0;  // And not computed, of all lanes.
  bool delivering_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<CallError> late_end_ ABSL_GUARDED_BY(mu_);  // For whoever delivers.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_
