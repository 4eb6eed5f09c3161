// Runs the batching policy: one lock, and a thread per worker with its own embedder.

#ifndef HEARWIRE_SERVER_BATCHING_BATCHER_H_
#define HEARWIRE_SERVER_BATCHING_BATCHER_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "models/embedder.h"
#include "server/batching/batch_queue.h"

namespace hearwire {

struct BatcherOptions {
  BatchQueueOptions queue;
  int workers = 1;
};

// What happened, for metrics and logs. Called on worker threads with no lock held; must be thread-safe and quick.
class BatchObserver {
 public:
  virtual ~BatchObserver() = default;
  virtual void OnBatch(int network, int windows, int calls, int64_t frames, absl::Duration inference) = 0;
  virtual void OnPendingFrames(int64_t frames) = 0;  // Waiting now.
  virtual void OnDropped(absl::StatusCode reason) = 0;  // kDeadlineExceeded or kCancelled, before compute.
  virtual void OnDeviceLost(const absl::Status& status) = 0;  // Once. Everything pending has failed or is about to.
};

class Batcher {
 public:
  // Starts the workers and waits until each has made its embedder; fails with what the first of them said.
  // backend and observer must outlive the batcher.
  static absl::StatusOr<std::unique_ptr<Batcher>> Create(const BatcherOptions& options, Backend* backend,
                                                         BatchObserver* observer);
  // Shuts down as by Shutdown(UNAVAILABLE).
  virtual ~Batcher() = default;

  // Takes all windows of the call or none; never blocks. Not OK: `done` is never called. RESOURCE_EXHAUSTED: the queue is
  // full, or the call is larger than the whole queue; DEADLINE_EXCEEDED, CANCELLED: nobody waits for it any more;
  // UNAVAILABLE: shut down, or the device is lost. Thread-safe.
  virtual absl::Status Submit(std::shared_ptr<CallWork> call) = 0;

  // How long a caller that was refused should wait before it tries again: what is queued, at the current pace.
  virtual absl::Duration RetryDelay() const = 0;

  // Between the two, a call is being prepared whose windows will come soon: batches may wait max_queue_delay for it.
  // Calls nest and may come from any threads.
  virtual void BeginPreparation() = 0;
  virtual void EndPreparation() = 0;

  // Fails everything that waits with `status` at once, lets running batches finish, and refuses what comes later. Calls whose
  // windows are running are answered when these are done. Returns when the workers have ended. Idempotent.
  virtual void Shutdown(const absl::Status& status) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_BATCHER_H_
