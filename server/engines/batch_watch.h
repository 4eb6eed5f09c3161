// Which batches run, so that one that hangs is seen. A device that hangs keeps its worker's thread for ever: nothing in
// the process can end that, only the process's end.

#ifndef HEARWIRE_SERVER_ENGINES_BATCH_WATCH_H_
#define HEARWIRE_SERVER_ENGINES_BATCH_WATCH_H_

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "models/embedder.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// Policy without threads or clocks: times come in. Thread-safe.
class BatchWatch {
 public:
  struct Batch {
    int network = -1;  // Its backend's index.
    std::string device;
    size_t windows = 0;
    SteadyTime since;
  };
  using Running = std::list<Batch>::iterator;

  Running Begin(Batch batch);
  void End(Running running);

  // Batches that begin from now on count. Until then none does: what hangs at the start is the start's to see.
  void Arm(SteadyTime now);

  // The batch that has run for longest, if that is longer than `limit`.
  std::optional<Batch> FindOverdue(SteadyTime now, absl::Duration limit) const;

 private:
  mutable Mutex mu_;
  std::list<Batch> running_ ABSL_GUARDED_BY(mu_);
  SteadyTime armed_ ABSL_GUARDED_BY(mu_) = SteadyTime::InfiniteFuture();
};

// The same backend, whose embedders tell `watch` what they run.
std::unique_ptr<Backend> WatchBackend(std::unique_ptr<Backend> backend, std::shared_ptr<BatchWatch> watch);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ENGINES_BATCH_WATCH_H_
