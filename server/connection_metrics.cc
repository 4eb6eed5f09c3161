#include "server/connection_metrics.h"

#include <utility>

#include "server/telemetry/log.h"

namespace hearwire {
namespace {

constexpr absl::Duration kLinePeriod = absl::Minutes(1);

// In the order of the enumerations.
constexpr std::array<const char*, 4> kRefused = {"limit", "address_limit", "descriptors", "memory"};
constexpr std::array<const char*, 5> kClosed = {"ended", "made_room", "request_timeout", "age", "memory"};

template <size_t Count>
void AddCounters(const char* name, const char* help, const std::array<const char*, Count>& reasons,
                 prometheus::Registry* registry, std::array<prometheus::Counter*, Count>* counters) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(*registry);
  for (size_t i = 0; i < Count; ++i) (*counters)[i] = &family.Add({{"reason", reasons[i]}});
}

}  // namespace

ConnectionMetrics::ConnectionMetrics(prometheus::Registry* registry)
    : open_(&prometheus::BuildGauge()
                 .Name("hearwire_open_connections")
                 .Help("Connections that are open.")
                 .Register(*registry)
                 .Add({})),
      accepted_(&prometheus::BuildCounter()
                     .Name("hearwire_connections_total")
                     .Help("Connections that were accepted.")
                     .Register(*registry)
                     .Add({})) {
  AddCounters("hearwire_refused_connections_total", "Connections that were closed as they came, by what they ran into.",
              kRefused, registry, &refused_);
  AddCounters("hearwire_closed_connections_total", "Connections that have ended, by why.", kClosed, registry, &closed_);
}

void ConnectionMetrics::OnRefused(Refused reason) {
  refused_[static_cast<size_t>(reason)]->Increment();
  if (const int64_t refusals = Count(&refusals_)) {
    Log(LogLevel::kWarning, "connections refused",
        {{"reason", kRefused[static_cast<size_t>(reason)]}, {"connections", refusals}});
  }
}

void ConnectionMetrics::OnClosed(Closed reason) {
  closed_[static_cast<size_t>(reason)]->Increment();
  if (reason != Closed::kMemory) return;
  if (const int64_t closings = Count(&closings_)) {
    Log(LogLevel::kWarning, "memory is short: connections closed that took most of it", {{"connections", closings}});
  }
}

int64_t ConnectionMetrics::Count(Lines* lines) {
  MutexLock lock(&mu_);
  ++lines->count;
  const SteadyTime now = SteadyTime::Now();
  if (now < lines->next) return 0;
  lines->next = now + kLinePeriod;
  return std::exchange(lines->count, 0);
}

}  // namespace hearwire
