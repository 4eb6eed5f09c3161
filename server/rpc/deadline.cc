#include "server/rpc/deadline.h"

#include "absl/time/time.h"

namespace hearwire {

SteadyTime ReadDeadline(gpr_timespec deadline) {
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return SteadyTime::InfiniteFuture();
  // Subtracts the now of whichever clock the deadline is on: on the monotonic one, as gRPC keeps it, the time left does
  // not depend on the system's clock even here.
  const gpr_timespec left = gpr_convert_clock_type(deadline, GPR_TIMESPAN);
  return SteadyTime::Now() + absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

}  // namespace hearwire
