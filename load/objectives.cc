#include "load/objectives.h"

#include "absl/strings/str_format.h"

namespace hearwire::load {

std::vector<Objective> Judge(const ObjectiveBounds& bounds, const Measurement& measurement, const LoadOptions& options,
                             const RunSummary& run) {
  std::vector<Objective> objectives;
  for (const auto& [percentile, bound] : bounds.latency) {
    const double share = ShareWithin(measurement, options, bound);
    objectives.push_back(
        {.name = absl::StrFormat("p%g", percentile),
         .asked = absl::StrFormat("%g %% of calls succeed within %s", percentile, absl::FormatDuration(bound)),
         .found = absl::StrFormat("%.4g %%", 100 * share),
         .met = measurement.calls > 0 && share >= percentile / 100 - 1e-12});
  }
  if (bounds.errors) {
    const double share = run.calls > 0 ? static_cast<double>(run.failed) / static_cast<double>(run.calls) : 1;
    objectives.push_back({.name = "errors",
                          .asked = absl::StrFormat("at most %g %% of calls fail", 100 * *bounds.errors),
                          .found = absl::StrFormat("%.4g %%", 100 * share),
                          .met = share <= *bounds.errors});
  }
  const auto at_least = [&](const char* name, const char* unit, std::optional<double> least, double found) {
    if (!least) return;
    objectives.push_back({.name = name,
                          .asked = absl::StrFormat("at least %g %s per second", *least, unit),
                          .found = absl::StrFormat("%.4g", found),
                          .met = found >= *least});
  };
  at_least("calls", "calls", bounds.calls_per_second, run.calls_per_second);
  at_least("audio", "s of audio", bounds.audio_seconds_per_second, run.audio_seconds_per_second);
  return objectives;
}

}  // namespace hearwire::load
