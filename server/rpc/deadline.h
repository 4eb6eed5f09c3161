// A call's deadline, as gRPC has it, on the server's clock.

#ifndef HEARWIRE_SERVER_RPC_DEADLINE_H_
#define HEARWIRE_SERVER_RPC_DEADLINE_H_

#include <grpc/support/time.h>

#include "server/concurrency/steady_time.h"

namespace hearwire {

// deadline: ServerContext::raw_deadline(). To be asked once, when the call arrives: from then on steps of the system's
// clock move nothing. InfiniteFuture when the caller brought none.
SteadyTime ReadDeadline(gpr_timespec deadline);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_DEADLINE_H_
