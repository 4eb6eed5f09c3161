// A backend, the batcher that feeds it, and whether it can be relied on yet.

#ifndef HEARWIRE_SERVER_ENGINES_ENGINE_H_
#define HEARWIRE_SERVER_ENGINES_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "models/embedder.h"
#include "server/batching/batcher.h"
#include "server/concurrency/mutex.h"
#include "server/engines/network_returns.h"

namespace hearwire {

// Passes on what a batcher reports, but keeps the loss of a device to itself while the engine is on trial.
class TrialObserver final : public BatchObserver {
 public:
  // observer must outlive this.
  TrialObserver(BatchObserver* observer, bool on_trial) : observer_(observer), on_trial_(on_trial) {}

  void OnBatch(int network, int windows, int calls, int64_t frames, absl::Duration inference) override {
    observer_->OnBatch(network, windows, calls, frames, inference);
  }
  void OnPendingFrames(int64_t frames) override { observer_->OnPendingFrames(frames); }
  void OnDropped(absl::StatusCode reason) override { observer_->OnDropped(reason); }
  void OnDeviceLost(const absl::Status& status) override {
    {
      MutexLock lock(&mu_);
      loss_ = status;
      if (on_trial_) return;
    }
    observer_->OnDeviceLost(status);
  }

  // Not OK: the device was lost on trial. Else a loss is passed on from now on.
  absl::Status EndTrial() {
    MutexLock lock(&mu_);
    if (on_trial_ && !loss_.ok()) return loss_;
    on_trial_ = false;
    return absl::OkStatus();
  }

 private:
  BatchObserver* const observer_;

  Mutex mu_;
  bool on_trial_ ABSL_GUARDED_BY(mu_);
  absl::Status loss_ ABSL_GUARDED_BY(mu_);
};

// Members use those above them.
struct Engine {
  std::unique_ptr<Backend> backend = nullptr;  // Null: it was given up or let go.
  BatcherOptions batching = {};
  std::vector<int> indices = {};  // The backend's, by the catalog's order. Negative: it does not hold the network.
  std::vector<absl::Status> shortages = {};  // By the catalog's order. Not OK: why it has too little memory for it.
  std::unique_ptr<TrialObserver> observer = nullptr;
  std::unique_ptr<Batcher> batcher = nullptr;  // Null until it is started.
  std::shared_ptr<NetworkReturns> returns = nullptr;
};

// Takes an engine out of use. On a thread of its own, for what a device does that failed is anybody's guess; a device
// that hangs is left behind with it.
void Retire(Engine engine);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ENGINES_ENGINE_H_
