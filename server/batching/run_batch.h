// Runs a batch so that a window that cannot be run fails its own call alone.

#ifndef HEARWIRE_SERVER_BATCHING_RUN_BATCH_H_
#define HEARWIRE_SERVER_BATCHING_RUN_BATCH_H_

#include <vector>

#include "absl/status/status.h"
#include "models/embedder.h"
#include "server/batching/batch_queue.h"

namespace hearwire {

// Embeds the windows of `batch`. When that fails, its halves are run instead, and their halves, until the offenders
// stand alone; what Embed throws is such a failure too. call_status is set to one status for each of batch->calls: OK
// when all the rows of its windows here are written, else what the embedder said when it was given one of them alone;
// the call's other windows are then left out. UNAVAILABLE: the device is lost, and call_status says nothing. Reorders
// batch->windows and batch->owners.
absl::Status RunBatch(Embedder* embedder, Batch* batch, std::vector<absl::Status>* call_status);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_RUN_BATCH_H_
