#include "load/arrivals.h"

namespace hearwire::load {

absl::Duration Arrivals::Next() {
  if (kind_ == ArrivalKind::kPoisson) {
    due_ += gap_(random_);
  } else {
    due_ += due_ == 0 ? 0.5 : 1;  // A whole gap first would make each run a call too few.
  }
  return absl::Seconds(due_ / calls_per_second_);
}

}  // namespace hearwire::load
