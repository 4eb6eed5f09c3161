#include "models/torch/chunk_embedder.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire {

int MaxChunkWindows(int frames_per_window, int max_chunk_frames) {
  return static_cast<int>(std::bit_floor(static_cast<unsigned>(std::max(1, max_chunk_frames / frames_per_window))));
}

int PaddedChunkWindows(int windows) { return static_cast<int>(std::bit_ceil(static_cast<unsigned>(windows))); }

ChunkEmbedder::ChunkEmbedder(std::vector<Network> networks, std::vector<std::unique_ptr<Slot>> slots,
                             int max_chunk_frames)
    : networks_(std::move(networks)),
      slots_(std::move(slots)),
      max_chunk_frames_(max_chunk_frames),
      pending_(slots_.size()) {}

absl::Status ChunkEmbedder::Embed(int network, absl::Span<const WindowRequest> batch) {
  if (!lost_.ok()) return lost_;
  if (network < 0 || network >= static_cast<int>(networks_.size())) {
    return absl::InternalError(absl::StrCat("network ", network, " of ", networks_.size()));
  }
  std::map<int, Group> groups;  // By frame count.
  for (const WindowRequest& request : batch) {
    const int frames = request.window.frame_count();
    if (frames < 1 || request.window.mels != networks_[network].mels) {
      return absl::InternalError(absl::StrCat("a window of ", frames, " frames of ", request.window.mels,
                                              " bands for a network of ", networks_[network].mels, " bands"));
    }
    groups[frames].push_back(&request);
  }
  for (const auto& [frames, group] : groups) {
    if (absl::Status status = EmbedGroup(network, group); !status.ok()) {
      DropAll();
      if (absl::IsUnavailable(status)) lost_ = status;
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status ChunkEmbedder::EmbedGroup(int network, const Group& group) {
  std::vector<Readout> readouts;
  for (const WindowRequest* request : group) {
    if (std::find(readouts.begin(), readouts.end(), request->readout) == readouts.end()) {
      readouts.push_back(request->readout);
    }
  }
  const ColumnPlan plan(networks_[network].shape, networks_[network].mels, readouts);
  size_t limit = MaxChunkWindows(group.front()->window.frame_count(), max_chunk_frames_);
  absl::Span<const WindowRequest* const> rest(group);
  while (!rest.empty()) {
    const auto windows = rest.subspan(0, limit);
    absl::Status status = StartChunk(network, plan, windows);
    const bool alone =
        std::all_of(pending_.begin(), pending_.end(), [](const Pending& p) { return p.windows.empty(); });
    if (absl::IsResourceExhausted(status) && (windows.size() > 1 || !alone)) {
      limit = std::max(1, PaddedChunkWindows(static_cast<int>(windows.size())) / 2);
      if (absl::Status others = FinishAll(); !others.ok()) return others;
      slots_.front()->ReleaseMemory();
      continue;
    }
    if (!status.ok()) return status;
    rest.remove_prefix(windows.size());
  }
  return FinishAll();
}

absl::Status ChunkEmbedder::StartChunk(int network, const ColumnPlan& plan,
                                       absl::Span<const WindowRequest* const> windows) {
  if (absl::Status status = FinishSlot(next_slot_); !status.ok()) return status;
  Slot& slot = *slots_[next_slot_];
  const ChunkShape shape = {.windows = PaddedChunkWindows(static_cast<int>(windows.size())),
                            .frames = windows.front()->window.frame_count(),
                            .mels = networks_[network].mels};
  absl::StatusOr<float*> input = slot.Input(shape);
  if (!input.ok()) return input.status();
  float* end = *input;
  for (const WindowRequest* request : windows) {
    for (const Window::Run& run : request->window.runs) {
      end = std::copy_n(run.frames, size_t{1} * run.frame_count * shape.mels, end);
    }
  }
  std::fill(end, *input + shape.values(), 0.0f);
  if (absl::Status status = slot.Start(network, shape, plan); !status.ok()) return status;
  pending_[next_slot_] = {windows, &plan};
  next_slot_ = (next_slot_ + 1) % slots_.size();
  return absl::OkStatus();
}

absl::Status ChunkEmbedder::FinishSlot(size_t slot) {
  const Pending pending = std::exchange(pending_[slot], Pending());
  if (pending.windows.empty()) return absl::OkStatus();
  const absl::StatusOr<const float*> columns = slots_[slot]->Finish();
  if (!columns.ok()) return columns.status();
  const float* window = *columns;
  for (const WindowRequest* request : pending.windows) {
    pending.plan->WriteRow(request->readout, window, request->row);
    window += pending.plan->width();
  }
  return absl::OkStatus();
}

absl::Status ChunkEmbedder::FinishAll() {
  absl::Status first;
  for (size_t i = 0; i < slots_.size(); ++i) first.Update(FinishSlot((next_slot_ + i) % slots_.size()));
  return first;
}

void ChunkEmbedder::DropAll() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!std::exchange(pending_[i], Pending()).windows.empty()) (void)slots_[i]->Finish();
  }
}

}  // namespace hearwire
