// What one call asks of the batcher.

#ifndef HEARWIRE_SERVER_BATCHING_CALL_WORK_H_
#define HEARWIRE_SERVER_BATCHING_CALL_WORK_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "models/embedder.h"

namespace hearwire {

// Where a call's time went, known when it is done.
struct BatchTimes {
  absl::Duration queued;     // The longest wait of one of its windows.
  absl::Duration inference;  // Sum over the batches that held its windows.
};

// Filled by the pipeline, handed to Batcher::Submit. What the requests view must live until `done` has been called.
struct CallWork {
  int network = -1;
  std::vector<WindowRequest> requests;
  absl::Time deadline = absl::InfiniteFuture();
  // Set by anyone when the caller has gone; read when a batch is cut.
  std::atomic<bool> cancelled = false;
  // Called exactly once when Submit took the call: OK when all rows are written; DEADLINE_EXCEEDED, CANCELLED; what the
  // embedder said for a window that fails alone; UNAVAILABLE when the device is lost or the batcher shuts down. Called on
  // a worker's thread or on the one that shuts down, with no lock held; it must not block.
  std::function<void(absl::Status, const BatchTimes&)> done;

  int64_t total_frames() const {
    int64_t frames = 0;
    for (const WindowRequest& request : requests) frames += request.window.frame_count();
    return frames;
  }
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_CALL_WORK_H_
