// What each caller has taken, for accounting: bounded, whoever calls.

#ifndef HEARWIRE_SERVER_TELEMETRY_CALLER_METRICS_H_
#define HEARWIRE_SERVER_TELEMETRY_CALLER_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "server/concurrency/mutex.h"

namespace hearwire {

// Thread-safe.
class CallerMetrics {
 public:
  // Registers hearwire_caller_calls_total, _audio_seconds_total and _cpu_seconds_total, with the label `caller`.
  CallerMetrics(int max_callers, prometheus::Registry* registry);

  // As Metrics::OnCaller.
  void OnCall(std::string_view caller, bool is_named, absl::Duration audio, absl::Duration cpu);

 private:
  struct Counters {
    prometheus::Counter* calls;
    prometheus::Counter* audio_seconds;
    prometheus::Counter* cpu_seconds;
  };

  Counters Add(const std::string& caller);
  Counters Find(std::string_view caller, bool is_named) ABSL_LOCKS_EXCLUDED(mu_);

  const int max_callers_;
  prometheus::Family<prometheus::Counter>* const calls_;
  prometheus::Family<prometheus::Counter>* const audio_seconds_;
  prometheus::Family<prometheus::Counter>* const cpu_seconds_;
  const Counters other_;

  Mutex mu_;
  std::map<std::string, Counters, std::less<>> callers_ ABSL_GUARDED_BY(mu_);
  int named_ ABSL_GUARDED_BY(mu_) = 0;    // Of these.
  int unnamed_ ABSL_GUARDED_BY(mu_) = 0;  // Likewise: strangers' addresses take no room from those that have names.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_CALLER_METRICS_H_
