// What a run is asked to reach.

#ifndef HEARWIRE_LOAD_OBJECTIVES_H_
#define HEARWIRE_LOAD_OBJECTIVES_H_

#include <map>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "load/load_run.h"
#include "load/measurement.h"
#include "load/report.h"

namespace hearwire::load {

struct ObjectiveBounds {
  // Percentile (50, 90, 99, 99.9) to the longest latency. That many of all calls must have succeeded within it: a call
  // that fails at once does not help.
  std::map<double, absl::Duration> latency = {};
  std::optional<double> errors = {};                    // The largest share of calls that may fail, 0 to 1.
  std::optional<double> calls_per_second = {};          // The least that must succeed.
  std::optional<double> audio_seconds_per_second = {};  // Likewise.
};

// One Objective for each bound. A run in which no call was due meets none.
std::vector<Objective> Judge(const ObjectiveBounds& bounds, const Measurement& measurement, const LoadOptions& options,
                             const RunSummary& run);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_OBJECTIVES_H_
