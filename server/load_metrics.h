// How much the server has to do, for whoever decides how many servers there are:
//
//   hearwire_load_seconds{device}               work that waits, in seconds of each worker at the recent pace
//   hearwire_workers{device}                    threads that run batches
//   hearwire_worker_busy_seconds_total{device}  time that they spent in batches; its rate by hearwire_workers is how
//                                               busy they are
//
// Asked for at each scrape, so that nothing is done for them when nobody looks.

#ifndef HEARWIRE_SERVER_LOAD_METRICS_H_
#define HEARWIRE_SERVER_LOAD_METRICS_H_

#include <prometheus/metric_family.h>

#include <memory>
#include <vector>

#include "server/engines/engines.h"
#include "server/telemetry/exposer.h"

namespace hearwire {

std::vector<prometheus::MetricFamily> LoadFamilies(const std::vector<EngineLoad>& loads);

class LoadMetrics {
 public:
  // Engines::Test has passed. Both must outlive this.
  LoadMetrics(const Engines* engines, Exposer* exposer);
  // A scrape that is under way may have begun before: it is waited for.
  ~LoadMetrics();
  LoadMetrics(const LoadMetrics&) = delete;
  LoadMetrics& operator=(const LoadMetrics&) = delete;

 private:
  class Source;
  const std::shared_ptr<Source> source_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LOAD_METRICS_H_
