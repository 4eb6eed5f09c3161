// A call of whole clips: a unary RPC.
//
// Plan: what it needs is measured and reserved before anything is decoded (Start, in clips_run_admission.cc). Its clips
// are prepared by as many tasks as it may use threads, each slice on whatever thread of the pool is free. A fault of a
// clip fails the call before any answer: clips before it are prepared on, for the first fault in their order counts.

#ifndef HEARWIRE_SERVER_PIPELINE_CLIPS_RUN_H_
#define HEARWIRE_SERVER_PIPELINE_CLIPS_RUN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "server/pipeline/call_run.h"
#include "server/pipeline/clip_feed.h"

namespace hearwire {

class ClipsRun final : public CallRun {
 public:
  // As CallRun's.
  ClipsRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<CallerRegistry::Number> caller,
           std::unique_ptr<Admission::Share> share);

  // Asks for room and schedules the preparation of its clips. Everything else follows.
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
  std::optional<CallError> TakeReplyRoom(size_t lane, int64_t rows, bool at_least) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t BytesOfReply() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return request_.reply.held_per_byte * reply_bytes_;
  }

  // --- Preparation. A task is scheduled, running, or paused.
  std::optional<int64_t> PrepareSlice() override ABSL_LOCKS_EXCLUDED(mu_);
  int Resume() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The first clip that no task works on, or else the next one, opened. Null: there is none.
  std::unique_ptr<OpenClip> TakeClip() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Goes on with a clip for a slice's time, or until its windows are a piece. ended: set when the clip has.
  std::optional<CallError> Prepare(OpenClip* clip, LaneWindows* windows, bool* ended) const;
  // Hands a clip's windows on; ended: they are its last.
  std::optional<CallError> HandOn(int clip, bool ended, LaneWindows windows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CloseClip() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteFault(int clip, CallError error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether a task has another slice to do now. False: it is paused or has ended, and is counted so.
  bool GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnFinish() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { waiting_clips_.clear(); }

  const int clip_count_;

  int64_t reply_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // For which it has room.
  int next_clip_ ABSL_GUARDED_BY(mu_) = 0;
  int open_clips_ ABSL_GUARDED_BY(mu_) = 0;  // Begun and not ended.
  // Of these, those that no task works on.
  std::vector<std::unique_ptr<OpenClip>> waiting_clips_ ABSL_GUARDED_BY(mu_);
  int paused_tasks_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<CallError> error_ ABSL_GUARDED_BY(mu_);  // Of failed_clip_, the lowest that failed.
  int failed_clip_ ABSL_GUARDED_BY(mu_) = -1;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CLIPS_RUN_H_
