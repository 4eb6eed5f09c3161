// Threads that prepare clips, slice by slice, in the order in which batches take windows.

#ifndef HEARWIRE_SERVER_PIPELINE_PREPARATION_POOL_H_
#define HEARWIRE_SERVER_PIPELINE_PREPARATION_POOL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "server/batching/preparation_order.h"
#include "server/concurrency/mutex.h"

namespace hearwire {

// Callers share the threads by the time that their slices take, the call with the least work left comes first, and what
// has waited long has its turn too: see PreparationOrder.
class PreparationPool {
 public:
  // What a slice should take, about.
  static constexpr absl::Duration kSliceTime = absl::Milliseconds(2);

  // Goes on with some work for kSliceTime. Returns how many samples its call has left to be decoded, when it is
  // to go on as soon as it has its turn; nothing when it is not. Must not throw: that ends the program.
  using Slice = std::function<std::optional<int64_t>()>;

  // At least one thread. Throws std::system_error, and leaves none, where the system refuses one.
  explicit PreparationPool(int threads);
  // Runs what was scheduled, and what that schedules, then ends the threads. Not from within a slice.
  ~PreparationPool();
  PreparationPool(const PreparationPool&) = delete;
  PreparationPool& operator=(const PreparationPool&) = delete;

  // Never blocks. caller, weight: as CallWork's. samples_left: as above. The slice is destroyed on the thread that ran
  // it last. Thread-safe, also from within a slice.
  void Schedule(int caller, int weight, int64_t samples_left, Slice slice);

  // As Schedule, but where nothing waits for its turn, the first slice runs before this returns, on this thread: a
  // small piece of a live stream is done sooner than a thread is woken.
  void RunOrSchedule(int caller, int weight, int64_t samples_left, Slice slice);

 private:
  struct Task : Turn {
    Slice slice;
  };

  void Close();
  void Run() noexcept;

  Mutex mu_;
  CondVar wake_;                                 // A task has come, or the end.
  PreparationOrder order_ ABSL_GUARDED_BY(mu_);  // Of Tasks that wait; it owns them.
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_PREPARATION_POOL_H_
