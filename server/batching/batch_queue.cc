#include "server/batching/batch_queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/batching/refusal.h"

namespace hearwire {
namespace {

constexpr absl::Duration kMinRetryDelay = absl::Milliseconds(10);
constexpr absl::Duration kMaxRetryDelay = absl::Seconds(10);
constexpr absl::Duration kUnknownRetryDelay = absl::Seconds(1);

// A refused call pays for looking at so many waiting ones, whether they are cancelled.
constexpr int kSearchedPerRefusal = 16;

}  // namespace

void Batch::Clear() {
  network = -1;
  frames = 0;
  windows.clear();
  owners.clear();
  calls.clear();
  workload_number = -1;
}

BatchQueue::BatchQueue(const BatchQueueOptions& options, int workers) : options_(options), workload_(workers) {}

BatchQueue::~BatchQueue() { RemoveAll(); }

absl::Status BatchQueue::Push(std::shared_ptr<CallWork> call, int64_t frames, SteadyTime now,
                              std::vector<DroppedCall>* dropped, int64_t elsewhere) {
  if (call->requests.empty()) return absl::InvalidArgumentError("a call without windows");
  if (call->network < 0) return absl::InvalidArgumentError("a call without a network");
  if (call->cancelled.load(std::memory_order_relaxed)) return absl::CancelledError("cancelled before it was queued");
  if (call->deadline <= now) return absl::DeadlineExceededError("the deadline passed before the call was queued");
  if (frames > options_.max_queued_frames) {
    return WithRefusal(
        absl::ResourceExhaustedError(absl::StrCat("the call is larger than the whole queue: its windows have ", frames,
                                                  " frames, and at most ", options_.max_queued_frames, " can wait")),
        Refusal::kCallTooLarge);
  }
  const auto full = [&] { return frames > options_.max_queued_frames - elsewhere - queued_frames_; };
  if (full()) DropExpired(now, dropped);
  if (full() && ++refused_since_search_ >= deadlines_.size() / kSearchedPerRefusal) DropCancelled(dropped);
  if (full()) {
    return WithRefusal(absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", elsewhere + queued_frames_,
                                                                 " of ", options_.max_queued_frames,
                                                                 " frames wait, and the call has ", frames)),
                       Refusal::kQueueFull);
  }

  const size_t index = static_cast<size_t>(call->network);
  if (index >= networks_.size()) networks_.resize(index + 1);
  Network& network = networks_[index];
  if (network.turns.empty()) network.room_for_newcomers = 0;
  CallWork::Waiting& waiting = call->waiting;
  waiting.next = 0;
  waiting.frames = frames;
  waiting.since = now;
  waiting.arrival = ++arrivals_;
  waiting.round = network.round + 1;
  if (network.room_for_newcomers > 0) {
    --network.room_for_newcomers;
    waiting.round = network.round;
  }
  network.frames += frames;
  queued_frames_ += frames;
  network.turns.Push({waiting.round, call->deadline, waiting.arrival}, call.get());
  network.arrivals.Push(waiting.arrival, call.get());
  deadlines_.Push({call->deadline, waiting.arrival}, call.get());
  CallWork* const raw = call.get();
  raw->waiting.self = std::move(call);
  return absl::OkStatus();
}

SteadyTime BatchQueue::DueTime(const Network& network, SteadyTime now, bool company_expected) const {
  if (network.turns.empty()) return SteadyTime::InfiniteFuture();
  if (!company_expected || network.frames >= options_.max_batch_frames) return now;
  if (network.arrivals.top_key() <= network.last_released) return now;
  return network.arrivals.top()->waiting.since + options_.max_queue_delay;
}

SteadyTime BatchQueue::NextBatchTime(SteadyTime now, bool company_expected) const {
  SteadyTime next = SteadyTime::InfiniteFuture();
  for (const Network& network : networks_) next = std::min(next, DueTime(network, now, company_expected));
  return next;
}

bool BatchQueue::TakeBatch(SteadyTime now, bool company_expected, Batch* batch, std::vector<DroppedCall>* dropped) {
  batch->Clear();
  DropExpired(now, dropped);
  const int count = static_cast<int>(networks_.size());
  for (int i = 1; i <= count; ++i) {
    const int network = (last_network_ + i) % count;
    if (DueTime(networks_[static_cast<size_t>(network)], now, company_expected) > now) continue;
    Fill(network, now, batch, dropped);
    if (batch->windows.empty()) continue;  // All its calls were cancelled.
    networks_[static_cast<size_t>(network)].last_released = arrivals_;
    last_network_ = network;
    batch->workload_number = workload_.Begin(network, batch->frames, now);
    return true;
  }
  return false;
}

bool BatchQueue::HasWorkForTwo() const {
  if (queued_frames_ / 2 < options_.min_shared_frames) return false;
  const CallWork& first = *deadlines_.top();
  return deadlines_.size() > 1 || first.waiting.next + 1 < static_cast<int>(first.requests.size());
}

int64_t BatchQueue::TargetFrames(int network, SteadyTime now) const {
  const int64_t waiting = networks_[static_cast<size_t>(network)].frames;
  int64_t target = std::max(workload_.Share(network, waiting, now), options_.min_shared_frames);
  if (waiting - target < options_.min_shared_frames) target = waiting;
  return std::min(target, options_.max_batch_frames);
}

void BatchQueue::Fill(int index, SteadyTime now, Batch* batch, std::vector<DroppedCall>* dropped) {
  Network& network = networks_[static_cast<size_t>(index)];
  const int64_t target = TargetFrames(index, now);
  batch->network = index;
  ++batches_;
  while (batch->frames < target && !network.turns.empty()) {
    CallWork* const call = network.turns.top();
    if (call->cancelled.load(std::memory_order_relaxed)) {
      Drop(call, absl::StatusCode::kCancelled, dropped);
      continue;
    }
    const int frames = call->requests[static_cast<size_t>(call->waiting.next)].window.frame_count();
    if (!batch->windows.empty() && batch->frames + frames > options_.max_batch_frames) break;
    TakeWindow(&network, frames, batch);
  }
}

void BatchQueue::TakeWindow(Network* network, int frames, Batch* batch) {
  CallWork* const call = network->turns.top();
  CallWork::Waiting& waiting = call->waiting;
  if (waiting.round > network->round) {
    network->round = waiting.round;
    network->room_for_newcomers = network->turns.size();
  }
  if (waiting.last_batch != batches_) {
    waiting.last_batch = batches_;
    waiting.index_in_last_batch = static_cast<int>(batch->calls.size());
    batch->calls.push_back(waiting.self);
  }
  batch->owners.push_back({waiting.index_in_last_batch, waiting.next});
  batch->windows.push_back(call->requests[static_cast<size_t>(waiting.next)]);
  batch->frames += frames;

  ++waiting.next;
  waiting.frames -= frames;
  network->frames -= frames;
  queued_frames_ -= frames;
  if (waiting.next == static_cast<int>(call->requests.size())) {
    TakeOut(call);
  } else {
    ++waiting.round;
    network->turns.ChangeTop({waiting.round, call->deadline, waiting.arrival});
  }
}

void BatchQueue::FinishBatch(const Batch& batch, SteadyTime now, bool ok) {
  workload_.End(batch.workload_number, now, ok);
}

void BatchQueue::Remove(CallWork* call) {
  if (call->waiting.self != nullptr) TakeOut(call);
}

std::vector<std::shared_ptr<CallWork>> BatchQueue::RemoveAll() {
  std::vector<std::shared_ptr<CallWork>> calls;
  calls.reserve(static_cast<size_t>(deadlines_.size()));
  while (!deadlines_.empty()) calls.push_back(TakeOut(deadlines_.top()));
  return calls;
}

void BatchQueue::Drop(CallWork* call, absl::StatusCode reason, std::vector<DroppedCall>* dropped) {
  dropped->push_back({TakeOut(call), reason});
}

void BatchQueue::DropExpired(SteadyTime now, std::vector<DroppedCall>* dropped) {
  while (!deadlines_.empty() && deadlines_.top()->deadline <= now) {
    Drop(deadlines_.top(), absl::StatusCode::kDeadlineExceeded, dropped);
  }
}

void BatchQueue::DropCancelled(std::vector<DroppedCall>* dropped) {
  refused_since_search_ = 0;
  std::vector<CallWork*> cancelled;
  deadlines_.ForEach([&](CallWork* call) {
    if (call->cancelled.load(std::memory_order_relaxed)) cancelled.push_back(call);
  });
  for (CallWork* call : cancelled) Drop(call, absl::StatusCode::kCancelled, dropped);
}

std::shared_ptr<CallWork> BatchQueue::TakeOut(CallWork* call) {
  Network& network = networks_[static_cast<size_t>(call->network)];
  network.turns.Remove(call);
  network.arrivals.Remove(call);
  deadlines_.Remove(call);
  network.frames -= call->waiting.frames;
  queued_frames_ -= call->waiting.frames;
  call->waiting.frames = 0;
  return std::move(call->waiting.self);
}

absl::Duration BatchQueue::RetryDelay(SteadyTime now) const {
  absl::Duration work = workload_.Remaining(now);
  for (size_t i = 0; i < networks_.size(); ++i) {
    if (networks_[i].frames == 0) continue;
    const auto time = workload_.TimeFor(static_cast<int>(i), networks_[i].frames);
    if (!time.has_value()) return kUnknownRetryDelay;
    work += *time;
  }
  return std::clamp(work / workload_.workers(), kMinRetryDelay, kMaxRetryDelay);
}

}  // namespace hearwire
