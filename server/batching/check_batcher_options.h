// Says which of a batcher's options is out of range.

#ifndef HEARWIRE_SERVER_BATCHING_CHECK_BATCHER_OPTIONS_H_
#define HEARWIRE_SERVER_BATCHING_CHECK_BATCHER_OPTIONS_H_

#include "absl/status/status.h"
#include "server/batching/batcher.h"

namespace hearwire {

// INVALID_ARGUMENT names the option and what would be right.
absl::Status CheckBatcherOptions(const BatcherOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_CHECK_BATCHER_OPTIONS_H_
