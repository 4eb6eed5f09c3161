// The batching policy: which calls are let in, and which windows run next, in which batch. No threads, no locks, no
// clock: times come in. Counts are integers, so nothing depends on rounding.
//
// Order
// - Calls of one network share batches; a batch never mixes networks.
// - Callers share the workers by cost: the next batch is of a network on which the caller waits who has had least, and
//   is filled caller by caller in that order (CallOrder, CallerShares). Of that caller's networks it is the one that
//   has had least.
// - Of a caller's calls on a network, the one with the least work left runs first; a tenth goes to the oldest.
// - A call that comes passes only those that will still end within four fifths of the time that they had to their
//   deadline; else it stands behind them.
// - A batch with which a call ends is not held up for calls that do not end with it: these at most double its frames,
//   or fill it to min_shared_frames or to 16 times a batch's own cost, where small batches run less well. Likewise for
//   callers, of whom nothing waits after it.
//
// Admission
// - What a call needs is reserved whole when it is let in, or nothing is; its windows may come later, piece by piece.
// - A call is let in when it is expected to end within four fifths of the time to its deadline, and when at most
//   max_queue_time of work runs before it. Where no work is ahead of it, all the time to its deadline will do. While no
//   batch has ended, nothing is known and time refuses nobody.
// - Who is refused is told when to come again, each caller's calls one after the other: when those that were refused
//   before it will have had their time, and half of max_queue_time before what waits has run.
// - Frames that wait are bounded too: of each call, what it has prepared or may prepare, at most credit_frames.

#ifndef HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_
#define HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/call_order.h"
#include "server/batching/call_work.h"
#include "server/batching/caller_shares.h"
#include "server/batching/indexed_heap.h"
#include "server/batching/retry_times.h"
#include "server/batching/work_ahead.h"
#include "server/batching/workload.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

struct BatchQueueOptions {
  // Frames in one batch. A single larger window makes a batch of its own.
  int64_t max_batch_frames = 4096;
  // What a batch may take at its network's recent pace, as far as that leaves it so many frames: who comes while it
  // runs waits until it ends, and small batches run less well.
  absl::Duration max_batch_time = absl::InfiniteDuration();
  int64_t min_timed_frames = 1024;
  // Frames waiting, of all networks, and with them in other queues that share this bound; what is running does not
  // count.
  int64_t max_queued_frames = 1 << 20;
  // Work that may run before a call which comes, at the recent pace; its own does not count.
  absl::Duration max_queue_time = absl::Seconds(1);
  // Frames of one call that may be prepared and not computed yet: enough for the next batches.
  int64_t credit_frames = 8192;
  // What waits is cut into smaller batches so that all workers have some and end together, but not into smaller ones
  // than this many frames, because small batches run less well.
  int64_t min_shared_frames = 256;
  // How long a window waits at most for company while company is expected; else a free worker takes what is there.
  absl::Duration max_queue_delay = absl::Milliseconds(5);
};

// Windows of one network that run together, and whose they are. Reused from batch to batch for its memory.
struct Batch {
  struct Owner {
    int call;        // Index into calls.
    int64_t window;  // Its number among all windows of that call.
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

// What a call asks for before its windows are there.
struct Reservation {
  int64_t frames = 0;  // Of all its windows, as far as that is known.
  int64_t windows = 0;
  // Its windows come as they become known, with no end in sight: it counts by those that wait. Where others like it are
  // on its network, each is due max_queue_delay after it has come: their windows come a few at a time, and are company.
  bool open_ended = false;
};

// What workers have to do, and what they have done.
struct Load {
  // Work that was let in and has not run, for each worker: how long they need until all of it has, at the recent pace
  // of its networks. It counts from when it is let in, prepared or not. Zero while no batch has ended.
  absl::Duration waiting;
  // Time in batches of all workers since the start. Never falls.
  absl::Duration busy;
};

class BatchQueue {
 public:
  // workers: threads that take batches, at least 1. The options must be positive, the delay at least 0.
  BatchQueue(const BatchQueueOptions& options, int workers);
  ~BatchQueue();
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  // Lets the call in, or not. elsewhere: frames that wait in other queues which share the bound.
  // RESOURCE_EXHAUSTED, told apart by RefusalOf: too much waits now (WaitOf says when to come again), no server could
  // be done by the deadline, or the call never fits. DEADLINE_EXCEEDED, CANCELLED: nobody waits for it.
  // INVALID_ARGUMENT: no windows, or no network. When room is short, calls that nobody waits for are dropped and
  // appended to `dropped`. A call of which no window has come is dropped without being named there.
  absl::Status Admit(std::shared_ptr<CallWork> call, const Reservation& reservation, SteadyTime now,
                     std::vector<DroppedCall>* dropped, int64_t elsewhere = 0);

  // Of a call that was let in, the next windows have come, `frames` frames together; complete: no more will. Takes the
  // requests, which may be none, and forgets those that batches have taken. More than was reserved is taken
  // nevertheless. False: the call was dropped or removed meanwhile.
  bool Append(CallWork* call, std::vector<WindowRequest> requests, int64_t frames, bool complete, SteadyTime now);

  // Both together for a call whose windows are all there. It may have been let in before: then it is refused if it is
  // larger than was reserved and does not fit as it is, or with DEADLINE_EXCEEDED or CANCELLED if it was dropped.
  // frames: call->total_frames(), counted by whoever holds no lock.
  absl::Status Push(const std::shared_ptr<CallWork>& call, int64_t frames, SteadyTime now,
                    std::vector<DroppedCall>* dropped, int64_t elsewhere = 0);

  // Frames that a call which was let in may add now.
  int64_t Credit(const CallWork& call) const;

  // When TakeBatch would return something if asked then: now or earlier when a batch is due, InfiniteFuture when
  // nothing waits. company_expected: calls are being prepared whose windows will come soon.
  SteadyTime NextBatchTime(SteadyTime now, bool company_expected) const;

  // Cuts a batch for a free worker when one is due: when what waits fills one of its network, when its oldest window
  // has waited max_queue_delay, or when no company is expected; what this leaves of calls that were there is due too,
  // for the next worker. False: none is due, and `batch` is empty. Calls whose deadline has passed, and those found
  // cancelled when their turn came, are dropped and appended to `dropped`; what they still had waiting never runs. (A
  // call cancelled in this very moment may be in `batch` with a window and in `dropped` as well.)
  bool TakeBatch(SteadyTime now, bool company_expected, Batch* batch, std::vector<DroppedCall>* dropped);

  // To be called for each batch that was taken, when it has ended. ok: whether all of it ran at the first attempt.
  void FinishBatch(const Batch& batch, SteadyTime now, bool ok);

  // Removes what is left of a call (it failed, its caller left, or its preparation ended). No-op when nothing is.
  void Remove(CallWork* call);

  // As Workload::Forget, of a network none of whose calls is here.
  void Forget(int network) { workload_.Forget(network); }

  // Removes all calls, and returns those of which windows have come.
  std::vector<std::shared_ptr<CallWork>> RemoveAll();

  // How long a caller that was refused should wait before it tries again: until what waits has run, at the recent pace
  // of its networks; from 10 ms to 10 s, and 1 s while no batch has ended.
  absl::Duration RetryDelay(SteadyTime now) const;

  Load LoadAt(SteadyTime now) const;

  // Whether what waits is worth cutting for two workers.
  bool HasWorkForTwo() const;

  // Frames that wait or are reserved, and those that wait.
  int64_t queued_frames() const { return queued_frames_; }
  int64_t waiting_frames() const { return waiting_frames_; }
  // Whether no window waits.
  bool empty() const { return waiting_calls_ == 0; }

 private:
  using Waiting = CallWork::Waiting;
  using DeadlineKey = std::pair<SteadyTime, int64_t>;  // Deadline, arrival.
  struct Network {
    explicit Network(CallerShares* shares) : order(shares) {}
    int64_t frames = 0;                         // Of windows that wait.
    CallOrder order;                            // Of calls with windows that wait.
    IndexedHeap<Waiting, int64_t, 2> arrivals;  // Of the same, by when they began to wait.
    int64_t last_released = 0;                  // Calls up to this arrival wait for company no more.
    int open_ended = 0;                         // Calls that were let in and have not ended,
    int open_ended_waiting = 0;                 // and those of them of which windows wait.
    int64_t served = 0;                         // As in CallerShares, for networks.
  };
  // What of a batch that is being filled was taken from calls that do not end with it, though others do.
  struct Extent {
    bool call_ends = false;
    bool caller_ends = false;
    int64_t surplus = 0;
  };

  absl::Status CheckRoom(int64_t frames, SteadyTime now, std::vector<DroppedCall>* dropped, int64_t elsewhere);
  absl::Status CheckTime(const CallWork& call, const Expectation& expected, SteadyTime now);
  SteadyTime DueTime(int index, SteadyTime now, bool company_expected) const;
  int NextNetwork(SteadyTime now, bool company_expected);
  int64_t FullBatch(int network) const;
  int64_t TargetFrames(int network, SteadyTime now) const;
  void Fill(int network, SteadyTime now, Batch* batch, std::vector<DroppedCall>* dropped);
  bool MayExtend(int network, const Waiting& waiting, int64_t frames, int64_t target, const Batch& batch,
                 Extent* extent) const;
  void TakeWindow(int network, CallWork* call, int64_t frames, Batch* batch);
  void SetLeft(CallWork* call, int64_t left);
  int64_t Cost(int network, int64_t frames) const;
  int64_t Reserved(int64_t left) const;
  std::optional<absl::Duration> TimeForAll(SteadyTime now) const;  // Nothing: no pace is known.
  bool IsBusy() const;
  void Drop(CallWork* call, absl::StatusCode reason, std::vector<DroppedCall>* dropped);
  void DropExpired(SteadyTime now, std::vector<DroppedCall>* dropped);
  void DropCancelled(std::vector<DroppedCall>* dropped);
  void StopWaiting(CallWork* call);
  std::shared_ptr<CallWork> TakeOut(CallWork* call);

  const BatchQueueOptions options_;
  Workload workload_;
  CallerShares shares_;
  WorkAhead work_ahead_;
  std::vector<Network> networks_;
  IndexedHeap<Waiting, DeadlineKey, 3> deadlines_;  // All calls that were let in and have something left.
  RetryTimes retry_times_;
  int64_t queued_frames_ = 0;
  int64_t waiting_frames_ = 0;  // Of windows that are there.
  int waiting_calls_ = 0;       // Of which windows wait.
  int64_t arrivals_ = 0;
  int64_t batches_ = 0;
  int64_t network_clock_ = 0;     // What the network had had that was served last.
  int refused_since_search_ = 0;  // Calls for which there was no room since DropCancelled looked for some.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_
