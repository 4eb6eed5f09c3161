// Whether the generator's counts and the server's tell the same story.

#ifndef HEARWIRE_LOAD_COUNT_CHECK_H_
#define HEARWIRE_LOAD_COUNT_CHECK_H_

#include <string>
#include <vector>

#include "load/measurement.h"
#include "load/server_metrics.h"

namespace hearwire::load {

struct CountCheck {
  // The fate of every call that was compared is known to both sides: the counts must be equal for each method, config
  // and code. Otherwise some calls were cancelled, expired or cut off: the server may have counted them, under any code
  // or not at all, and only bounds can be checked.
  bool exact = true;
  int64_t sent = 0;
  int64_t answered = 0;
  int64_t failed_locally = 0;
  int64_t not_compared = 0;              // Of those that failed locally, refused by gRPC before the server could count.
  int64_t server_counted = 0;            // Under the methods and configs of this load.
  std::vector<std::string> differences;  // In words; empty when the counts agree.

  bool agrees() const { return differences.empty(); }
};

// before, after: the server's metrics around those calls; no one else may have used it meanwhile under the same methods
// and configs.
CountCheck CheckCounts(const Totals& totals, const MetricsPage& before, const MetricsPage& after);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_COUNT_CHECK_H_
