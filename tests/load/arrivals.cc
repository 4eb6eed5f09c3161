#include "tests/load/arrivals.h"

namespace hearwire::load {

absl::Duration Arrivals::Next() {
  due_ += kind_ == ArrivalKind::kConstant ? 1 : gap_(random_);
  return absl::Seconds(due_ / calls_per_second_);
}

}  // namespace hearwire::load
