// Runs the batching policy: one lock, and a thread per worker with its own embedder.

#ifndef HEARWIRE_SERVER_BATCHING_BATCHER_H_
#define HEARWIRE_SERVER_BATCHING_BATCHER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "models/embedder.h"
#include "server/batching/batch_queue.h"
#include "server/batching/call_work.h"
#include "server/batching/queued_frames.h"

namespace hearwire {

struct BatcherOptions {
  BatchQueueOptions queue;
  int workers = 1;
  // The CPU of each worker, by the system's numbers. Empty: the system places them.
  std::vector<int> worker_cpus;
  // Threads that answer: they call CallWork::done. 0: the worker that ran the last of a call's batches does, which is
  // cheapest where it computes by itself. Where a worker feeds a device, it should have the next batch under way
  // instead.
  int answer_threads = 0;
  // Frames that wait in all batchers which share one bound, queue.max_queued_frames. Null: this one shares it with
  // none.
  std::shared_ptr<QueuedFrames> queued_frames;
};

// What happened, for metrics and logs. Called with no lock held, from several threads at once; must be thread-safe and
// quick, and must not call the batcher.
class BatchObserver {
 public:
  virtual ~BatchObserver() = default;
  // A batch has run. windows, calls and frames are those of the batch as it was cut, also when it failed and was
  // halved.
  virtual void OnBatch(int network, int windows, int calls, int64_t frames, absl::Duration inference) = 0;
  // Frames waiting now in all batchers that share a bound; called when that may have changed. Once all is quiet the
  // last value told is right.
  virtual void OnPendingFrames(int64_t frames) = 0;
  // A call that Submit took was given up before all of it was computed: kDeadlineExceeded or kCancelled.
  virtual void OnDropped(absl::StatusCode reason) = 0;
  // Once. Everything pending has failed or is about to.
  virtual void OnDeviceLost(const absl::Status& status) = 0;
};

class Batcher {
 public:
  // Starts the workers and waits until each has made its embedder; fails with what the first of them said, or with
  // INVALID_ARGUMENT that names the option. Throws std::system_error where the system refuses a thread. backend and
  // observer must outlive the batcher.
  static absl::StatusOr<std::unique_ptr<Batcher>> Create(const BatcherOptions& options, Backend* backend,
                                                         BatchObserver* observer);
  // Shuts down as by Shutdown(UNAVAILABLE).
  virtual ~Batcher() = default;

  // Takes all windows of the call or none; never blocks. Not OK: `done` is never called. RESOURCE_EXHAUSTED: too much
  // waits, the deadline is too short for any server, or the call is larger than the whole queue (RefusalOf tells which;
  // a call that was let in is refused if it has become larger than was reserved); DEADLINE_EXCEEDED, CANCELLED: nobody
  // waits for it any more; UNAVAILABLE: the device is lost; what Shutdown was given, after that; INVALID_ARGUMENT: no
  // windows or no network. Thread-safe.
  virtual absl::Status Submit(std::shared_ptr<CallWork> call) = 0;

  // Lets a call in whose windows are not there yet, or not all, and reserves what it needs; or not, as Submit. From
  // then on it is being prepared, as by BeginPreparation, until its last windows come or EndPreparation is called.
  virtual absl::Status Admit(std::shared_ptr<CallWork> call, const Reservation& reservation) = 0;

  // The next windows of a call that was let in; complete: no more will come, and its preparation ends. Not OK: it is
  // not to be computed any more. DEADLINE_EXCEEDED, CANCELLED; UNAVAILABLE: the device is lost; what Shutdown was
  // given. The caller then has to Abandon it, unless `done` comes. Never blocks, calls nothing back. Thread-safe; the
  // calls for one CallWork come one at a time.
  virtual absl::Status Append(CallWork* call, std::vector<WindowRequest> requests, bool complete) = 0;

  // Gives up a call that was let in: what of it waits is not computed. `done` comes with CANCELLED, unless it has come,
  // perhaps on this thread before this returns. Its preparation is to be ended apart. Thread-safe.
  virtual void Abandon(std::shared_ptr<CallWork> call) = 0;

  // No call of this network is left, and its index may be another's from now on, whose pace is not known. Thread-safe.
  virtual void Forget(int network) = 0;

  // BatchQueueOptions::credit_frames.
  virtual int64_t credit_frames() const = 0;

  // How long a caller that was refused should wait before it tries again: what is queued, at the current pace; from
  // 10 ms to 10 s. Thread-safe.
  virtual absl::Duration RetryDelay() const = 0;

  // What waits now, and how busy the workers have been. Thread-safe.
  virtual Load load() const = 0;

  // From BeginPreparation on, a call is being prepared whose windows will come soon: batches may wait max_queue_delay
  // for it. It ends with the Submit of that call, which is `announced`, with its last Append, or with EndPreparation
  // when there will be none. Calls nest and may come from any threads.
  virtual void BeginPreparation() = 0;
  virtual void EndPreparation() = 0;

  // Fails everything that waits with `status`, which is not OK, at once, lets running batches finish, and refuses what
  // comes later with it. Calls whose windows are running are answered when these are done: OK when nothing else of them
  // waited. Returns when the workers and the answering threads have ended, which they do when every call is answered.
  // Idempotent: the first status counts. Thread-safe, but not from within `done` or the observer.
  virtual void Shutdown(const absl::Status& status) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_BATCHER_H_
