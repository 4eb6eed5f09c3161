// A BatchObserver that remembers.

#ifndef HEARWIRE_TESTS_SERVER_BATCHING_RECORDING_OBSERVER_H_
#define HEARWIRE_TESTS_SERVER_BATCHING_RECORDING_OBSERVER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/batcher.h"
#include "server/concurrency/mutex.h"

namespace hearwire {

class RecordingObserver : public BatchObserver {
 public:
  struct BatchEvent {
    int network;
    int windows;
    int calls;
    int64_t frames;
    friend bool operator==(const BatchEvent&, const BatchEvent&) = default;
  };

  void OnBatch(int network, int windows, int calls, int64_t frames, absl::Duration /*inference*/) override {
    MutexLock lock(&mu_);
    batches_.push_back({network, windows, calls, frames});
  }
  void OnPendingFrames(int64_t frames) override {
    MutexLock lock(&mu_);
    pending_frames_ = frames;
  }
  void OnDropped(absl::StatusCode reason) override {
    MutexLock lock(&mu_);
    dropped_.push_back(reason);
  }
  void OnDeviceLost(const absl::Status& status) override {
    MutexLock lock(&mu_);
    losses_.push_back(status);
  }

  std::vector<BatchEvent> batches() {
    MutexLock lock(&mu_);
    return batches_;
  }
  int64_t pending_frames() {
    MutexLock lock(&mu_);
    return pending_frames_;
  }
  std::vector<absl::StatusCode> dropped() {
    MutexLock lock(&mu_);
    return dropped_;
  }
  std::vector<absl::Status> losses() {
    MutexLock lock(&mu_);
    return losses_;
  }

 private:
  Mutex mu_;
  std::vector<BatchEvent> batches_ ABSL_GUARDED_BY(mu_);
  int64_t pending_frames_ ABSL_GUARDED_BY(mu_) = -1;
  std::vector<absl::StatusCode> dropped_ ABSL_GUARDED_BY(mu_);
  std::vector<absl::Status> losses_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_BATCHING_RECORDING_OBSERVER_H_
