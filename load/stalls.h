// What the callers of a closed loop do not see while the server stalls.

#ifndef HEARWIRE_LOAD_STALLS_H_
#define HEARWIRE_LOAD_STALLS_H_

#include "absl/time/time.h"
#include "load/histogram.h"
#include "load/load_run.h"
#include "load/measurement.h"

namespace hearwire::load {

// A stall is a call of a closed loop that took longer than 100 ms and longer than five times p99: far outside what the
// others scatter. (Where one call in a hundred stalls, p99 is theirs, and nothing needs to be corrected.)
struct StallRule {
  absl::Duration longest_ordinary = absl::InfiniteDuration();
  absl::Duration pace = absl::ZeroDuration();  // The mean time of the ordinary calls.
};

// Of all calls that were made. In an open loop no call is a stall: its calls were due at their own times.
StallRule FindStalls(const Measurement& measurement, const LoadOptions& options);

// The latencies of calls that were made, and, in the tail, of those that callers at that pace would have made during
// the stalls. Without a stall they are what was measured.
class DueLatency {
 public:
  DueLatency(const Histogram& made, const StallRule& rule);

  // Up to the median as made, above never less than that.
  absl::Duration Quantile(double share) const;
  // The share of `all`, 0 to 1, that these are within `limit`: the largest whose Quantile is, where these are all. 0
  // when there are none.
  double ShareWithin(absl::Duration limit, const DueLatency& all) const;

 private:
  Histogram made_;
  Histogram with_missed_;
};

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_STALLS_H_
