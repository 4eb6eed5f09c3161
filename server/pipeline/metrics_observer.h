// Hands what the batcher reports to the metrics.

#ifndef HEARWIRE_SERVER_PIPELINE_METRICS_OBSERVER_H_
#define HEARWIRE_SERVER_PIPELINE_METRICS_OBSERVER_H_

#include <functional>
#include <utility>

#include "server/batching/batcher.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

class MetricsObserver : public BatchObserver {
 public:
  // on_device_lost may be empty; it is called on a worker's thread, once, and must not block. metrics must outlive
  // this.
  MetricsObserver(Metrics* metrics, std::function<void(const absl::Status&)> on_device_lost)
      : metrics_(metrics), on_device_lost_(std::move(on_device_lost)) {}

  void OnBatch(int /*network*/, int windows, int calls, int64_t frames, absl::Duration /*inference*/) override {
    metrics_->OnBatch(windows, calls, frames);
  }
  void OnPendingFrames(int64_t frames) override { metrics_->OnPendingFrames(frames); }
  void OnDropped(absl::StatusCode /*reason*/) override { metrics_->OnCancelled("queue"); }
  void OnDeviceLost(const absl::Status& status) override {
    if (on_device_lost_) on_device_lost_(status);
  }

 private:
  Metrics* const metrics_;
  const std::function<void(const absl::Status&)> on_device_lost_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_METRICS_OBSERVER_H_
