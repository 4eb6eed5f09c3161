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
                             int max_chunk_frames, std::function<void(const std::string&)> warn)
    : networks_(std::move(networks)),
      slots_(std::move(slots)),
      warn_(std::move(warn)),
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
  const int frames = group.front()->window.frame_count();
  const int max_chunk_frames = max_chunk_frames_;
  std::vector<Windows> waiting = {Windows(group)};  // To be started: the last of them first, from its front on.
  bool one_at_a_time = false;                       // Even single windows were too much for two slots.
  while (!waiting.empty() || !IsIdle()) {
    // The slot's earlier chunk is finished before it takes another.
    Windows windows = pending_[next_slot_].windows;
    absl::Status status = FinishSlot(next_slot_);
    if (!status.ok()) {
      waiting.push_back(windows);
    } else if (!waiting.empty()) {
      Windows& rest = waiting.back();
      windows = rest.subspan(0, MaxChunkWindows(frames, max_chunk_frames_));
      status = StartChunk(network, plan, windows);
      if (status.ok() && one_at_a_time) status = FinishSlot(next_slot_);
      if (status.ok()) rest.remove_prefix(windows.size());
      if (rest.empty()) waiting.pop_back();
    }
    if (status.ok()) {
      next_slot_ = (next_slot_ + 1) % slots_.size();
      continue;
    }
    if (!absl::IsResourceExhausted(status)) return status;
    if (windows.size() == 1 && IsIdle()) {
      max_chunk_frames_ = max_chunk_frames;  // What fails alone says nothing about sizes.
      return status;
    }
    if (absl::Status others = FinishAll(&waiting); !others.ok()) return others;
    slots_.front()->ReleaseMemory();
    one_at_a_time = windows.size() == 1;
    if (one_at_a_time) continue;
    max_chunk_frames_ = PaddedChunkWindows(static_cast<int>(windows.size())) / 2 * frames;
    if (warn_) {
      warn_(absl::StrCat("the device has too little memory for ", windows.size(), " windows of ", frames,
                         " frames: from now on at most ", max_chunk_frames_, " frames run at once (", status.message(),
                         ")"));
    }
  }
  return absl::OkStatus();
}

absl::Status ChunkEmbedder::StartChunk(int network, const ColumnPlan& plan, Windows windows) {
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

absl::Status ChunkEmbedder::FinishAll(std::vector<Windows>* waiting) {
  absl::Status first;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const size_t slot = (next_slot_ + i) % slots_.size();
    const Windows windows = pending_[slot].windows;
    const absl::Status status = FinishSlot(slot);
    if (absl::IsResourceExhausted(status)) {
      waiting->push_back(windows);
    } else {
      first.Update(status);
    }
  }
  return first;
}

bool ChunkEmbedder::IsIdle() const {
  return std::all_of(pending_.begin(), pending_.end(), [](const Pending& p) { return p.windows.empty(); });
}

void ChunkEmbedder::DropAll() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!std::exchange(pending_[i], Pending()).windows.empty()) (void)slots_[i]->Finish();
  }
}

}  // namespace hearwire
