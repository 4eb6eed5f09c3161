// One call on its way through the pipeline, from its first clip to its answer.

#ifndef HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_
#define HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "models/log_mel/clip_windows.h"
#include "server/batching/batcher.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/thread_pool.h"
#include "server/pipeline/admission.h"
#include "server/pipeline/call.h"
#include "server/pipeline/pipeline.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

// What all calls of a pipeline share. Outlives every CallRun's work.
struct PipelineParts {
  const PipelineOptions& options;
  Metrics* metrics;
  ThreadPool* threads;
  const std::atomic<bool>& shutting_down;
};

// Held by the tasks that run it, then by its CallWork; both let go when it has been answered.
class CallRun : public std::enable_shared_from_this<CallRun> {
 public:
  CallRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<Admission::Share> share);

  // Schedules the preparation of its clips. Everything else follows.
  void Start() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Prepares one clip and schedules itself for the next, so that calls take turns.
  void PrepareNextClip() ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<CallError> PrepareClip(int clip) ABSL_LOCKS_EXCLUDED(mu_);
  // The limit that so many frames and rows pass, if they do. at_least: not every clip has been counted.
  std::optional<CallError> TooLarge(int64_t frames, int64_t rows, bool at_least) const;
  // What is known of the whole call's size before anything is decoded: whether it passes a limit, and whether the
  // batcher lets it in.
  std::optional<CallError> Reserve();
  // For the metrics, before its windows are in the batcher's hands.
  void CountIfGivenUp(const CallError& error);
  CallError NoMemory() const;
  // Counts a clip's windows and takes the memory they need, or says which limit they pass.
  std::optional<CallError> TakeRoom(const WindowCount& count) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether anybody still waits and the server still serves.
  std::optional<CallError> WhyStop() const;
  // What a clip of so many windows has in the reply.
  int64_t RowCount(const WindowCount& count) const {
    return request_.kind == CallKind::kTimestamps ? count.windows : 1;
  }
  int64_t ReplyBytes(int64_t rows) const {
    return request_.reply.fixed + clip_count_ * request_.reply.per_clip + rows * request_.reply.per_row;
  }
  void Submit();
  void OnBatched(const absl::Status& status, const BatchTimes& times);
  // Hands the rows of all windows to the sink, clip after clip; says what is wrong with them.
  std::optional<CallError> GiveRows();
  // Ends the call, with the error if there is one.
  void Finish(std::optional<CallError> error);

  const PipelineParts parts_;
  CallRequest request_;
  Batcher* const batcher_;  // Of its network.
  const int row_size_;
  const int clip_count_;
  std::unique_ptr<Admission::Share> share_;

  Mutex mu_;
  int next_clip_ ABSL_GUARDED_BY(mu_) = 0;
  int running_ ABSL_GUARDED_BY(mu_) = 0;  // Tasks, scheduled or running.
  int counted_clips_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t frames_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t reply_rows_ ABSL_GUARDED_BY(mu_) = 0;
  int failed_clip_ ABSL_GUARDED_BY(mu_) = -1;
  std::optional<CallError> error_ ABSL_GUARDED_BY(mu_);  // Of failed_clip_, the lowest that failed.
  CallReport report_ ABSL_GUARDED_BY(mu_);

  // Written by the clip's task alone; read when all tasks have ended.
  std::vector<ClipWindows> clips_;
  std::vector<int64_t> windows_per_clip_;
  std::vector<float> rows_;  // [windows of all clips, row_size_]
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_RUN_H_
