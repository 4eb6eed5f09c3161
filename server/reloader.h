// Reloads when it is asked to, one at a time, on a thread of its own.

#ifndef HEARWIRE_SERVER_RELOADER_H_
#define HEARWIRE_SERVER_RELOADER_H_

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/concurrency/mutex.h"
#include "server/reload.h"

namespace hearwire {

// Thread-safe.
class Reloader {
 public:
  using Result = absl::StatusOr<ReloadReport>;
  // Called on the reloader's thread, but with what is refused at once. Must not block.
  using Done = std::function<void(const Result&)>;

  static constexpr size_t kMostWaiting = 64;

  // reload: called on the thread, and contained.
  explicit Reloader(std::function<Result()> reload);
  // Waits for a reload that runs.
  ~Reloader();

  // A reload begins soon, and whoever has asked before it begins is told its result: files that were changed before
  // this call are in it. Does not block. RESOURCE_EXHAUSTED: too many wait already. UNAVAILABLE: after Stop.
  void Request(Done done) ABSL_LOCKS_EXCLUDED(mu_);

  // No reload begins any more; those who wait are told so. Does not block.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run();
  // False: the thread ends.
  bool Next(std::vector<Done>* asked) ABSL_LOCKS_EXCLUDED(mu_);

  const std::function<Result()> reload_;

  Mutex mu_;
  CondVar changed_;
  std::vector<Done> waiting_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RELOADER_H_
