// What a Hearwire server says of itself at /metrics.

#ifndef HEARWIRE_LOAD_SERVER_METRICS_H_
#define HEARWIRE_LOAD_SERVER_METRICS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hearwire::load {

// One value of a Prometheus text page.
struct MetricSample {
  std::map<std::string, std::string> labels;
  double value = 0;
};

// Every sample of a page, by the metric's name.
using MetricsPage = std::map<std::string, std::vector<MetricSample>>;

// Lines that are not samples are passed by.
MetricsPage ParseMetrics(std::string_view text);

// The sum over the samples that have all these labels; 0 when there are none.
double SumOf(const MetricsPage& page, const std::string& name, const std::map<std::string, std::string>& labels = {});

// Whether another process answered `after` than `before`: its counters began anew. False when either does not say when
// its process started.
bool Restarted(const MetricsPage& before, const MetricsPage& after);

// Fetches url over HTTP, within five seconds. An address without a path means its /metrics. UNAVAILABLE: nothing there,
// or it answers with something else than a page of a Hearwire server.
absl::StatusOr<MetricsPage> FetchMetrics(const std::string& url);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_SERVER_METRICS_H_
