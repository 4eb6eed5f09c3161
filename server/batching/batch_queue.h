// The batching policy: which windows run next, in which batch. No threads, no locks, no clock: times come in.
//
// Calls of one network share batches; a batch never mixes networks. The calls of a network take turns window by window,
// so that an hour of audio does not hold back a second of it; among the calls whose turn it is, the earliest deadline
// goes first. Networks with windows waiting take turns batch by batch.

#ifndef HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_
#define HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/call_work.h"

namespace hearwire {

struct BatchQueueOptions {
  int64_t max_batch_frames = 4096;     // Frames in one batch. A single larger window makes a batch of its own.
  int64_t max_queued_frames = 1 << 20; // Frames waiting, of all networks; what is running does not count.
  // How long a window waits at most for company while `company_expected`; without company near, a free worker takes
  // what is there at once.
  absl::Duration max_queue_delay = absl::Milliseconds(5);
};

// Windows that run together, in the order in which their rows are wanted.
struct Batch {
  struct Item {
    std::shared_ptr<CallWork> call;
    int window;  // Index into call->requests.
  };
  int network = -1;
  int64_t frames = 0;
  std::vector<Item> items;
};

class BatchQueue {
 public:
  explicit BatchQueue(const BatchQueueOptions& options);

  // Takes all windows of the call, or none. RESOURCE_EXHAUSTED: the queue has no room now, or (message "larger than the
  // whole queue") never will.
  absl::Status Push(std::shared_ptr<CallWork> call, absl::Time now);

  // When TakeBatch would return something if asked then: now or earlier when a batch is due, InfiniteFuture when nothing
  // waits. company_expected: calls are being prepared whose windows will come soon.
  absl::Time NextBatchTime(absl::Time now, bool company_expected) const;

  // Cuts a batch when one is due. Calls whose deadline has passed or that were cancelled are dropped first and appended
  // to `dropped`; their windows never run.
  std::optional<Batch> TakeBatch(absl::Time now, bool company_expected, std::vector<std::shared_ptr<CallWork>>* dropped);

  // Removes the waiting windows of a call (it failed, or its caller left). No-op when none wait.
  void Remove(const CallWork* call);

  // Removes and returns all calls that have windows waiting.
  std::vector<std::shared_ptr<CallWork>> RemoveAll();

  int64_t queued_frames() const;
  bool empty() const;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_BATCH_QUEUE_H_
