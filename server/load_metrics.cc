#include "server/load_metrics.h"

#include <prometheus/collectable.h>

#include <utility>

#include "absl/time/time.h"
#include "server/concurrency/mutex.h"

namespace hearwire {

using ::prometheus::MetricFamily;
using ::prometheus::MetricType;

// A scrape keeps what it collects from alive; the engines go when the server does.
class LoadMetrics::Source final : public prometheus::Collectable {
 public:
  explicit Source(const Engines* engines) : engines_(engines) {}

  std::vector<MetricFamily> Collect() const override {
    MutexLock lock(&mu_);
    return engines_ == nullptr ? std::vector<MetricFamily>() : LoadFamilies(engines_->Loads());
  }

  void Close() {
    MutexLock lock(&mu_);
    engines_ = nullptr;
  }

 private:
  mutable Mutex mu_;
  const Engines* engines_ ABSL_GUARDED_BY(mu_);
};

std::vector<MetricFamily> LoadFamilies(const std::vector<EngineLoad>& loads) {
  std::vector<MetricFamily> families = {
      {"hearwire_load_seconds",
       "Work that waits, in seconds of each worker at the recent pace.",
       MetricType::Gauge,
       {}},
      {"hearwire_workers", "Threads that run batches.", MetricType::Gauge, {}},
      {"hearwire_worker_busy_seconds_total", "Time that workers spent in batches.", MetricType::Counter, {}},
  };
  for (const EngineLoad& engine : loads) {
    prometheus::ClientMetric metric;
    metric.label = {{"device", engine.device}};
    metric.gauge.value = absl::ToDoubleSeconds(engine.load.waiting);
    families[0].metric.push_back(metric);
    metric.gauge.value = engine.workers;
    families[1].metric.push_back(metric);
    metric.counter.value = absl::ToDoubleSeconds(engine.load.busy);
    families[2].metric.push_back(std::move(metric));
  }
  return families;
}

LoadMetrics::LoadMetrics(const Engines* engines, Exposer* exposer) : source_(std::make_shared<Source>(engines)) {
  exposer->Add(source_);
}

LoadMetrics::~LoadMetrics() { source_->Close(); }

}  // namespace hearwire
