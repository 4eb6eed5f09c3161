// When the calls of an open loop are due, whatever has become of the calls before.

#ifndef HEARWIRE_LOAD_ARRIVALS_H_
#define HEARWIRE_LOAD_ARRIVALS_H_

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace hearwire::load {

enum class ArrivalKind {
  kPoisson,   // Independent callers: the gaps are exponentially distributed.
  kConstant,  // Equal gaps, the first half as long.
};

// Not thread-safe.
class Arrivals {
 public:
  // calls_per_second: more than 0. The same seed makes the same schedule.
  Arrivals(ArrivalKind kind, double calls_per_second, uint64_t seed)
      : kind_(kind), calls_per_second_(calls_per_second), random_(seed) {}

  // The next call's due time from the start of the run; never decreases. Over all seeds, as many are due from the start
  // on as the rate says in any time, however short.
  absl::Duration Next();

 private:
  const ArrivalKind kind_;
  const double calls_per_second_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_{1};
  double due_ = 0;  // In mean gaps.
};

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_ARRIVALS_H_
