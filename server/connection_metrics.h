// Connections in the metrics and the log.

#ifndef HEARWIRE_SERVER_CONNECTION_METRICS_H_
#define HEARWIRE_SERVER_CONNECTION_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>
#include <cstdint>

#include "server/concurrency/mutex.h"
#include "server/listening/connection_handler.h"

namespace hearwire {

// Every label exists at zero from the start. Refusals, and closings for memory, are logged too: the
// first, and then once a minute how many.
class ConnectionMetrics final : public ConnectionEvents {
 public:
  // Registers hearwire_open_connections, _connections_total, _refused_connections_total{reason} and
  // _closed_connections_total{reason}.
  explicit ConnectionMetrics(prometheus::Registry* registry);

  void OnAccepted() override { accepted_->Increment(); }
  void OnOpen(int64_t connections) override { open_->Set(static_cast<double>(connections)); }
  void OnRefused(Refused reason) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnClosed(Closed reason) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Lines {
    SteadyTime next = SteadyTime::InfinitePast();
    int64_t count = 0;  // Since the last one.
  };

  // One more. How many a line should tell of; 0: there is none now.
  int64_t Count(Lines* lines) ABSL_LOCKS_EXCLUDED(mu_);

  prometheus::Gauge* open_;
  prometheus::Counter* accepted_;
  std::array<prometheus::Counter*, 4> refused_;
  std::array<prometheus::Counter*, 5> closed_;

  Mutex mu_;
  Lines refusals_ ABSL_GUARDED_BY(mu_);
  Lines closings_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CONNECTION_METRICS_H_
