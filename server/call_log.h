// The access log: a line for each call.

#ifndef HEARWIRE_SERVER_CALL_LOG_H_
#define HEARWIRE_SERVER_CALL_LOG_H_

#include "absl/time/time.h"
#include "server/rpc/call_record.h"

namespace hearwire {

// Writes "call" at debug; "slow call" at info when total is slow_call or more (zero: none is slow); a call that failed
// for a reason within the server (INTERNAL, UNKNOWN, DATA_LOSS) as "failed call" at error. Of strings that may be the
// caller's own the first 200 bytes are written. Thread-safe.
void LogCall(const CallRecord& call, absl::Duration slow_call);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CALL_LOG_H_
