// What one call asks of the batcher.

#ifndef HEARWIRE_SERVER_BATCHING_CALL_WORK_H_
#define HEARWIRE_SERVER_BATCHING_CALL_WORK_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "models/embedder.h"
#include "server/batching/call_order.h"
#include "server/batching/work_ahead.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// Where a call's time went, known when it is done.
struct BatchTimes {
  absl::Duration queued;     // The longest wait of one of its windows that ran, or of all when none did.
  absl::Duration inference;  // Sum over the batches that held its windows.
  absl::Duration share;      // Of that, by its part of each batch's frames.
};

using ComputedFunction = std::function<void(int64_t first, int64_t count)>;

// Filled by the pipeline, handed to Batcher::Admit or Submit once, and left alone from then on but for `cancelled`.
// What the requests view must live until `done` has been called.
struct CallWork {
  int network = -1;
  // Who asks: CallerShares says what the number is. The weight, from 1 to 1000, counts from then on for all its calls.
  int caller = 0;
  int caller_weight = 1;
  size_t caller_id = 0;  // Tells callers apart who have the number one after the other.
  std::vector<WindowRequest> requests;
  SteadyTime deadline = SteadyTime::InfiniteFuture();
  bool announced = false;  // By BeginPreparation, which Submit then ends, whatever it returns.
  // Set by anyone when the caller has gone; read when a batch is cut.
  std::atomic<bool> cancelled = false;
  // Tells which windows have their rows: `count` of them from number `first` on, counted over all that were appended.
  // Called after each batch that computed some; batches end in any order, and at once. As done; it may still be called
  // when done has been, for a batch that ended before. May be null.
  std::shared_ptr<const ComputedFunction> computed;
  // Called exactly once when the call was let in: OK when all rows are written; DEADLINE_EXCEEDED, CANCELLED; what the
  // embedder said for a window that fails alone; UNAVAILABLE when the device is lost; what Shutdown was given. Called
  // with no lock held, on a worker's thread, on one of those that answer (BatcherOptions::answer_threads), or on the
  // one that shuts down. It must not block: that holds up the next batch, or other answers. None of the call's
  // windows runs any more then. It is destroyed right after, so it may own what the requests view, and even the call.
  std::function<void(absl::Status, const BatchTimes&)> done;

  int64_t total_frames() const {
    int64_t frames = 0;
    for (const WindowRequest& request : requests) frames += request.window.frame_count();
    return frames;
  }

  // The rest is the batcher's own.

  // What of the call waits, and where it stands in BatchQueue's orders and heaps.
  struct Waiting : Turn {
    std::shared_ptr<CallWork> self;  // Set while it has work that no batch has taken.
    Work work;                       // That, as WorkAhead has it.
    int64_t least_position = 0;      // It stands no further ahead, however little is left.
    int64_t left = 0;                // Frames that no batch has taken.
    bool open_ended = false;         // These are only those that wait: see Reservation.
    bool reserved = false;           // It was let in, and no window has come yet.
    bool complete = false;           // All its windows are there.
    bool waits = false;              // It has windows that wait.
    int64_t taken_before = 0;        // Windows that batches took and that `requests` no longer holds.
    int next = 0;                    // The windows from here to the end of `requests` wait.
    int64_t frames = 0;              // Of those.
    SteadyTime since;                // The oldest of them came.
    int64_t since_arrival = 0;       // Counts these moments.
    int64_t last_batch = 0;          // Number of the last batch that took a window of it,
    int index_in_last_batch = -1;    // and its place among that batch's calls.
  };
  Waiting waiting;

  // What Batcher knows of it.
  struct Progress {
    int running_batches = 0;  // That hold windows of it.
    absl::Status status;      // The first failure.
    bool dropped = false;     // Whether that was its deadline or its cancellation.
    bool answered = false;    // `done` has been called or is about to be.
    BatchTimes times;
  };
  Progress progress;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_CALL_WORK_H_
