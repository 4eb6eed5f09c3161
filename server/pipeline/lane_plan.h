// Which lanes a call needs for several embeddings, and where each of them lies in the lanes' rows.

#ifndef HEARWIRE_SERVER_PIPELINE_LANE_PLAN_H_
#define HEARWIRE_SERVER_PIPELINE_LANE_PLAN_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "models/configs/config.h"
#include "models/configs/feature.h"
#include "server/pipeline/call.h"
#include "server/pipeline/head_catalog.h"
#include "server/pipeline/network_catalog.h"

namespace hearwire {

// The place of one readout.
struct RowSlice {
  int lane = 0;    // Number of the lane.
  int offset = 0;  // In each of its rows, in values.
  int size = 0;

  absl::Span<const float> Of(absl::Span<const float> row) const {
    return row.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }
};

// The lane of a call that reads out nothing else: what `readout` makes of the windows of `config`, one of the
// network's.
LaneRequest MakeLane(LaneKind kind, std::shared_ptr<const LoadedNetwork> network, const Config& config,
                     const Readout& readout);

// Collects what a call reads out, so that no window is computed twice: the scene windows of a network are one lane, its
// timestamp windows one for each length, and a readout that several ask for is in a lane's rows once.
class LanePlan {
 public:
  // What `readout` makes of the windows of `config`, one of the network's. The network is placed.
  RowSlice Add(LaneKind kind, const std::shared_ptr<const LoadedNetwork>& network, const Config& config,
               const Readout& readout);

  const std::vector<LaneRequest>& lanes() const { return lanes_; }

  // Values of a row of the lane.
  int row_size(int lane) const { return row_sizes_[static_cast<size_t>(lane)]; }

  std::vector<LaneRequest> TakeLanes() && { return std::move(lanes_); }

 private:
  std::vector<LaneRequest> lanes_;
  std::vector<int> row_sizes_;  // Of each.
};

// A head, and where the embedding lies that it reads.
struct PlannedHead {
  std::shared_ptr<const LoadedHead> loaded = nullptr;
  RowSlice slice;
};

// Adds what the heads read to the plan. In their order.
std::vector<PlannedHead> PlanHeads(absl::Span<const std::shared_ptr<const LoadedHead>> heads, LanePlan* plan);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_LANE_PLAN_H_
