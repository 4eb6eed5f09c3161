// What a call keeps for each of its lanes while it runs.

#ifndef HEARWIRE_SERVER_PIPELINE_CALL_LANE_H_
#define HEARWIRE_SERVER_PIPELINE_CALL_LANE_H_

#include <cstdint>

#include "models/configs/network_shape.h"
#include "server/batching/batcher.h"
#include "server/pipeline/call.h"
#include "server/pipeline/prepared_windows.h"

namespace hearwire {

// Not thread-safe.
struct CallLane {
  // request outlives it.
  explicit CallLane(const LaneRequest& lane)
      : request(&lane),
        batcher(lane.network->batcher),
        row_size(RowSize(lane.network->shape, lane.network->info->mel.n_mels, lane.readouts)),
        prepared(row_size) {}

  const LaneRequest* request;
  Batcher* batcher;  // The network's.
  int row_size;
  PreparedWindows prepared;

  int64_t windows = 0;     // Prepared so far.
  int64_t reply_rows = 0;  // For which the reply has room.

  bool admitted = false;   // By the batcher.
  bool announced = false;  // To it: windows will come soon.
  bool batched = false;    // It is done with this lane.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_LANE_H_
