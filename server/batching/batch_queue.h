// The batching policy: which windows run next, in which batch. No threads, no locks, no clock: times come in.
//
// Calls of one network share batches; a batch never mixes networks. Networks with windows waiting take turns batch by
// batch. The calls of a network take turns window by window, so that an hour of audio does not hold back a second of
// it: a round gives each call that waits one window, earliest deadline first. A call that comes while a round runs has
// its turn in it still, unless as many newcomers have joined the round as it began with; then it is in the next. So no
// call waits for ever, however many with earlier deadlines come.

#ifndef HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_
#define HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_

#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/call_heap.h"
#include "server/batching/call_work.h"
#include "server/batching/workload.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

struct BatchQueueOptions {
  // Frames in one batch. A single larger window makes a batch of its own.
  int64_t max_batch_frames = 4096;
  // Frames waiting, of all networks, and with them in other queues that share this bound; what is running does not
  // count.
  int64_t max_queued_frames = 1 << 20;
  // What waits is cut into smaller batches so that all workers have some and end together, but not into smaller ones
  // than this many frames, because small batches run less well.
  int64_t min_shared_frames = 256;
  // How long a window waits at most for company while company is expected; else a free worker takes what is there.
  absl::Duration max_queue_delay = absl::Milliseconds(5);
};

// Windows of one network that run together, and whose they are. Reused from batch to batch for its memory.
struct Batch {
  struct Owner {
    int call;    // Index into calls.
    int window;  // Index into that call's requests.
  };
  int network = -1;
  int64_t frames = 0;
  std::vector<WindowRequest> windows;            // In the order in which they were taken.
  std::vector<Owner> owners;                     // Of each of the windows.
  std::vector<std::shared_ptr<CallWork>> calls;  // Each once.
  int workload_number = -1;                      // BatchQueue's own.

  void Clear();
};

// A call that was given up before its remaining windows were computed.
struct DroppedCall {
  std::shared_ptr<CallWork> call;
  absl::StatusCode reason;  // kDeadlineExceeded or kCancelled.
};

class BatchQueue {
 public:
  // workers: threads that take batches, at least 1. The options must be positive, the delay at least 0.
  BatchQueue(const BatchQueueOptions& options, int workers);
  ~BatchQueue();
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  // Takes all windows of the call, or none. frames: call->total_frames(), counted by whoever holds no lock.
  // elsewhere: frames that wait in other queues which share the bound.
  // RESOURCE_EXHAUSTED, told apart by RefusalOf: the queue has no room now, or never will. DEADLINE_EXCEEDED,
  // CANCELLED: nobody waits for it. INVALID_ARGUMENT: no windows, or no network. When room is short, calls that nobody
  // waits for are dropped and appended to `dropped`.
  absl::Status Push(std::shared_ptr<CallWork> call, int64_t frames, SteadyTime now, std::vector<DroppedCall>* dropped,
                    int64_t elsewhere = 0);

  // When TakeBatch would return something if asked then: now or earlier when a batch is due, InfiniteFuture when
  // nothing waits. company_expected: calls are being prepared whose windows will come soon.
  SteadyTime NextBatchTime(SteadyTime now, bool company_expected) const;

  // Cuts a batch for a free worker when one is due: when what waits fills it, when its oldest window has waited
  // max_queue_delay, or when no company is expected; what this leaves of calls that were there is due too, for the next
  // worker. False: none is due, and `batch` is empty. Calls whose deadline has
  // passed, and those found cancelled when their turn came, are dropped and appended to `dropped`; what they still had
  // waiting never runs. (A call cancelled in this very moment may be in `batch` with a window and in `dropped` as
  // well.)
  bool TakeBatch(SteadyTime now, bool company_expected, Batch* batch, std::vector<DroppedCall>* dropped);

  // To be called for each batch that was taken, when it has ended. ok: whether all of it ran at the first attempt.
  void FinishBatch(const Batch& batch, SteadyTime now, bool ok);

  // Removes the waiting windows of a call (it failed, or its caller left). No-op when none wait.
  void Remove(CallWork* call);

  // Removes and returns all calls that have windows waiting.
  std::vector<std::shared_ptr<CallWork>> RemoveAll();

  // How long a caller that was refused should wait before it tries again: until what waits has run, at the recent pace
  // of its networks; from 10 ms to 10 s, and 1 s while no batch has ended.
  absl::Duration RetryDelay(SteadyTime now) const;

  // Whether what waits is worth cutting for two workers.
  bool HasWorkForTwo() const;

  int64_t queued_frames() const { return queued_frames_; }
  bool empty() const { return deadlines_.empty(); }

 private:
  using TurnKey = std::tuple<int64_t, SteadyTime, int64_t>;  // Round, deadline, arrival.
  using DeadlineKey = std::pair<SteadyTime, int64_t>;        // Deadline, arrival.
  struct Network {
    int64_t frames = 0;  // Waiting.
    CallHeap<TurnKey, 0> turns;
    CallHeap<int64_t, 1> arrivals;
    int64_t round = 0;           // That runs.
    int room_for_newcomers = 0;  // In it.
    int64_t last_released = 0;   // Calls up to this arrival wait for company no more.
  };

  SteadyTime DueTime(const Network& network, SteadyTime now, bool company_expected) const;
  int64_t TargetFrames(int network, SteadyTime now) const;
  void Fill(int network, SteadyTime now, Batch* batch, std::vector<DroppedCall>* dropped);
  void TakeWindow(Network* network, int frames, Batch* batch);
  void Drop(CallWork* call, absl::StatusCode reason, std::vector<DroppedCall>* dropped);
  void DropExpired(SteadyTime now, std::vector<DroppedCall>* dropped);
  void DropCancelled(std::vector<DroppedCall>* dropped);
  std::shared_ptr<CallWork> TakeOut(CallWork* call);

  const BatchQueueOptions options_;
  Workload workload_;
  std::vector<Network> networks_;
  CallHeap<DeadlineKey, 2> deadlines_;  // All calls that have windows waiting.
  int64_t queued_frames_ = 0;
  int64_t arrivals_ = 0;
  int64_t batches_ = 0;
  int last_network_ = -1;         // That had its turn.
  int refused_since_search_ = 0;  // Calls for which there was no room since DropCancelled looked for some.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_
