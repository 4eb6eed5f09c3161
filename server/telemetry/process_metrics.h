// The process's own metrics, as every Prometheus client library names them: process_cpu_seconds_total,
// process_resident_memory_bytes, process_virtual_memory_bytes, process_open_fds, process_max_fds,
// process_start_time_seconds. Read from /proc when they are asked for; what cannot be read is left out.

#ifndef HEARWIRE_SERVER_TELEMETRY_PROCESS_METRICS_H_
#define HEARWIRE_SERVER_TELEMETRY_PROCESS_METRICS_H_

#include <prometheus/collectable.h>

#include <vector>

namespace hearwire {

// Thread-safe.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_PROCESS_METRICS_H_
