#include "models/chunks/chunk_embedder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

// Combinations of readouts are few. Should they not be, their plans are made anew.
constexpr size_t kMaxPlans = 64;

}  // namespace

ChunkEmbedder::ChunkEmbedder(std::vector<ChunkNetwork> networks, std::vector<std::unique_ptr<Slot>> slots,
                             const ChunkPolicy& policy, std::function<void(const std::string&)> warn)
    : networks_(std::move(networks)),
      slots_(std::move(slots)),
      warn_(std::move(warn)),
      policy_(policy),
      last_good_frames_(policy.max_frames),
      pending_(slots_.size()) {}

absl::Status ChunkEmbedder::Embed(int network, absl::Span<const WindowRequest> batch) {
  if (!lost_.ok()) return lost_;
  if (network < 0 || network >= static_cast<int>(networks_.size())) {
    return absl::InternalError(absl::StrCat("network ", network, " of ", networks_.size()));
  }
  sorted_.clear();
  for (const WindowRequest& request : batch) {
    const int frames = request.window.frame_count();
    if (frames < 1 || request.window.mels != networks_[network].mels) {
      return absl::InternalError(absl::StrCat("a window of ", frames, " frames of ", request.window.mels,
                                              " bands for a network of ", networks_[network].mels, " bands"));
    }
    if (request.readouts.empty()) return absl::InternalError("a window has no readout");
    sorted_.push_back(&request);
  }
  std::stable_sort(sorted_.begin(), sorted_.end(), [](const WindowRequest* a, const WindowRequest* b) {
    return a->window.frame_count() > b->window.frame_count();
  });
  if (plans_.size() > kMaxPlans) plans_.clear();
  absl::Status status = EmbedSorted(network, sorted_);
  if (!status.ok()) DropAll();
  if (absl::IsUnavailable(status)) lost_ = status;
  return status;
}

absl::Status ChunkEmbedder::EmbedSorted(int network, Windows all) {
  std::vector<Windows> waiting;  // To be started: the last of them first, from its front on.
  if (!all.empty()) waiting.push_back(all);
  bool one_at_a_time = false;  // Even single windows were too much for two slots.
  bool released = false;       // No slot holds memory for reuse.
  while (!waiting.empty() || !IsIdle()) {
    // The slot's earlier chunk is finished before it takes another.
    Windows windows = pending_[next_slot_].windows;
    ChunkShape shape = pending_[next_slot_].shape;
    absl::Status status = FinishSlot(next_slot_);
    if (!status.ok()) {
      waiting.push_back(windows);
    } else if (!waiting.empty()) {
      Windows& rest = waiting.back();
      const ChunkCut cut = Cut(network, rest);
      windows = rest.subspan(0, cut.windows);
      shape = cut.shape;
      status = StartChunk(network, shape, windows);
      if (status.ok() && one_at_a_time) status = FinishSlot(next_slot_);
      if (status.ok()) released = false;
      if (status.ok()) rest.remove_prefix(windows.size());
      if (rest.empty()) waiting.pop_back();
    }
    if (status.ok()) {
      next_slot_ = (next_slot_ + 1) % slots_.size();
      continue;
    }
    if (!absl::IsResourceExhausted(status)) return status;
    const bool alone = windows.size() == 1 && IsIdle() && released;
    if (absl::Status others = FinishAll(&waiting); !others.ok()) return others;
    for (const auto& slot : slots_) slot->ReleaseMemory();
    if (alone) {
      policy_.max_frames = last_good_frames_;  // What fails alone says nothing about sizes.
      return status;
    }
    released = true;
    one_at_a_time = windows.size() == 1;
    if (one_at_a_time) continue;
    policy_.max_frames = RoundDownWindows(shape.windows / 2) * shape.frames;
    if (warn_) {
      warn_(absl::StrCat("the device has too little memory for ", windows.size(), " windows of ", shape.frames,
                         " frames: from now on at most ", policy_.max_frames, " frames run at once (", status.message(),
                         ")"));
    }
  }
  return absl::OkStatus();
}

ChunkCut ChunkEmbedder::Cut(int network, Windows waiting) {
  // More than this cannot be in a chunk, whatever their lengths.
  const size_t most = std::min(waiting.size(), static_cast<size_t>(std::max(1, policy_.max_frames)));
  lengths_.clear();
  for (const WindowRequest* request : waiting.subspan(0, most)) lengths_.push_back(request->window.frame_count());
  return CutChunk(lengths_, networks_[network], policy_);
}

absl::Status ChunkEmbedder::StartChunk(int network, const ChunkShape& shape, Windows windows) {
  frames_.Collect(windows, shape.mels);
  // Windows that the chunk is filled up with are as long as it allows.
  const Chunk chunk = {shape, frames_.rows(), windows.back()->window.frame_count()};
  Slot& slot = *slots_[next_slot_];
  const absl::StatusOr<ChunkInput> input = slot.Input(chunk);
  if (!input.ok()) return input.status();
  frames_.Write(shape, *input);
  const ColumnPlan* const plan = PlanFor(network, windows);
  if (absl::Status status = slot.Start(network, chunk, *plan); !status.ok()) return status;
  pending_[next_slot_] = {windows, shape, plan};
  return absl::OkStatus();
}

const ColumnPlan* ChunkEmbedder::PlanFor(int network, Windows windows) {
  const auto has = [](const std::vector<Readout>& readouts, const Readout& readout) {
    return std::find(readouts.begin(), readouts.end(), readout) != readouts.end();
  };
  readouts_.clear();
  for (const WindowRequest* request : windows) {
    for (const Readout& readout : request->readouts) {
      if (!has(readouts_, readout)) readouts_.push_back(readout);
    }
  }
  for (const auto& plan : plans_) {
    if (plan->network == network && plan->readouts.size() == readouts_.size() &&
        std::all_of(readouts_.begin(), readouts_.end(), [&](const Readout& r) { return has(plan->readouts, r); })) {
      return &plan->columns;
    }
  }
  const ChunkNetwork& info = networks_[network];
  plans_.push_back(std::make_unique<Plan>(Plan{network, readouts_, ColumnPlan(info.shape, info.mels, readouts_)}));
  return &plans_.back()->columns;
}

absl::Status ChunkEmbedder::FinishSlot(size_t slot) {
  const Pending pending = std::exchange(pending_[slot], Pending());
  if (pending.windows.empty()) return absl::OkStatus();
  const absl::StatusOr<const float*> columns = slots_[slot]->Finish();
  if (!columns.ok()) return columns.status();
  const float* window = *columns;
  for (const WindowRequest* request : pending.windows) {
    float* row = request->row;
    for (const Readout& readout : request->readouts) row = pending.plan->WriteRow(readout, window, row);
    window += pending.plan->width();
  }
  last_good_frames_ = policy_.max_frames;
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
