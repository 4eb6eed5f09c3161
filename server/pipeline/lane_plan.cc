#include "server/pipeline/lane_plan.h"

#include <algorithm>
#include <utility>

#include "models/configs/network_shape.h"

namespace hearwire {

LaneRequest MakeLane(LaneKind kind, std::shared_ptr<const LoadedNetwork> network, const Config& config,
                     const Readout& readout) {
  const bool timestamps = kind == LaneKind::kTimestamps;
  return {.kind = kind,
          .network = std::move(network),
          .readouts = {readout},
          .timestamp_window_samples = timestamps ? config.timestamp_window_samples : 0,
          .min_samples = timestamps ? config.min_timestamp_samples() : config.min_scene_samples()};
}

RowSlice LanePlan::Add(LaneKind kind, const std::shared_ptr<const LoadedNetwork>& network, const Config& config,
                       const Readout& readout) {
  const auto size_of = [&](const Readout& part) {
    return ReadoutSize(network->shape, network->info->mel.n_mels, part);
  };
  RowSlice slice;
  slice.size = size_of(readout);
  const LaneRequest asked = MakeLane(kind, network, config, readout);
  auto lane = std::find_if(lanes_.begin(), lanes_.end(), [&](const LaneRequest& known) {
    return known.kind == kind && known.network == network &&
           known.timestamp_window_samples == asked.timestamp_window_samples;
  });
  if (lane == lanes_.end()) {
    lane = lanes_.insert(lanes_.end(), asked);
    row_sizes_.push_back(slice.size);
  }
  // Windows of one kind and length need the same clips; were that to change, the shortest that all can take counts.
  lane->min_samples = std::max(lane->min_samples, asked.min_samples);

  slice.lane = static_cast<int>(lane - lanes_.begin());
  for (const Readout& known : lane->readouts) {
    if (known == readout) return slice;
    slice.offset += size_of(known);
  }
  lane->readouts.push_back(readout);
  row_sizes_[static_cast<size_t>(slice.lane)] += slice.size;
  return slice;
}

std::vector<PlannedHead> PlanHeads(absl::Span<const std::shared_ptr<const LoadedHead>> heads, LanePlan* plan) {
  std::vector<PlannedHead> planned;
  planned.reserve(heads.size());
  for (const std::shared_ptr<const LoadedHead>& loaded : heads) {
    const LaneKind kind = loaded->head.kind == Head::Kind::kScene ? LaneKind::kScene : LaneKind::kTimestamps;
    planned.push_back({loaded, plan->Add(kind, loaded->network, *loaded->config, loaded->config->readout)});
  }
  return planned;
}

}  // namespace hearwire
