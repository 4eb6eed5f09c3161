// Which windows run next. What lets calls in is in batch_queue_admission.cc.

#include "server/batching/batch_queue.h"

#include <algorithm>
#include <optional>
#include <tuple>

namespace hearwire {
namespace {

constexpr absl::Duration kMinRetryDelay = absl::Milliseconds(10);
constexpr absl::Duration kMaxRetryDelay = absl::Seconds(10);
constexpr absl::Duration kUnknownRetryDelay = absl::Seconds(1);

// What a frame is taken to cost while no pace is known.
constexpr int64_t kUnknownFrameCost = 1000;

// A batch that ends calls may be filled up until its own cost is one in so many of the time that it takes.
constexpr int64_t kMostOfBatchCost = 16;

int64_t NextFrames(const CallWork& call) {
  return call.requests[static_cast<size_t>(call.waiting.next)].window.frame_count();
}

}  // namespace

void Batch::Clear() {
  network = -1;
  frames = 0;
  windows.clear();
  owners.clear();
  calls.clear();
  workload_number = -1;
}

BatchQueue::BatchQueue(const BatchQueueOptions& options, int workers)
    : options_(options),
      workload_(workers),
      work_ahead_(&workload_, &shares_, options.max_batch_frames, options.min_shared_frames),
      retry_times_(options.max_queue_time) {}

BatchQueue::~BatchQueue() { RemoveAll(); }

int64_t BatchQueue::Cost(int network, int64_t frames) const {
  const int64_t cost = workload_.FrameCost(network);
  return frames * (cost == 0 ? kUnknownFrameCost : cost);
}

// Frames that a batch of the network has when enough waits.
int64_t BatchQueue::FullBatch(int network) const {
  const int64_t cost = workload_.FrameCost(network);
  if (cost == 0 || options_.max_batch_time == absl::InfiniteDuration()) return options_.max_batch_frames;
  const int64_t in_time = absl::ToInt64Nanoseconds(options_.max_batch_time) / cost;
  return std::min(std::max(in_time, options_.min_timed_frames), options_.max_batch_frames);
}

SteadyTime BatchQueue::DueTime(int index, SteadyTime now, bool company_expected) const {
  const Network& network = networks_[static_cast<size_t>(index)];
  if (network.order.empty()) return SteadyTime::InfiniteFuture();
  const bool all_open_ended = network.open_ended_waiting == network.order.size();
  company_expected = company_expected || (all_open_ended && network.open_ended > 1);
  if (!company_expected || network.frames >= FullBatch(index)) return now;
  if (network.arrivals.top_key() <= network.last_released) return now;
  return network.arrivals.top()->since + options_.max_queue_delay;
}

SteadyTime BatchQueue::NextBatchTime(SteadyTime now, bool company_expected) const {
  SteadyTime next = SteadyTime::InfiniteFuture();
  for (size_t i = 0; i < networks_.size(); ++i) {
    next = std::min(next, DueTime(static_cast<int>(i), now, company_expected));
  }
  return next;
}

bool BatchQueue::TakeBatch(SteadyTime now, bool company_expected, Batch* batch, std::vector<DroppedCall>* dropped) {
  batch->Clear();
  DropExpired(now, dropped);
  while (true) {
    const int index = NextNetwork(now, company_expected);
    if (index < 0) {
      if (!IsBusy()) workload_.Rest();
      return false;
    }
    Fill(index, now, batch, dropped);
    if (batch->windows.empty()) continue;  // All its calls were cancelled.
    Network& network = networks_[static_cast<size_t>(index)];
    network.last_released = arrivals_;
    network_clock_ = std::max(network_clock_, network.served);
    network.served += Cost(index, batch->frames);
    batch->workload_number = workload_.Begin(index, batch->frames, now);
    return true;
  }
}

// Negative: none is due.
int BatchQueue::NextNetwork(SteadyTime now, bool company_expected) {
  int next = -1;
  std::pair<int64_t, int64_t> least;  // What the caller had, what the network had.
  for (size_t i = 0; i < networks_.size(); ++i) {
    if (DueTime(static_cast<int>(i), now, company_expected) > now) continue;
    const std::pair<int64_t, int64_t> served{networks_[i].order.LeastServed(), networks_[i].served};
    if (next >= 0 && served >= least) continue;
    least = served;
    next = static_cast<int>(i);
  }
  return next;
}

bool BatchQueue::HasWorkForTwo() const {
  if (waiting_frames_ / 2 < options_.min_shared_frames) return false;
  if (waiting_calls_ > 1) return true;
  for (const Network& network : networks_) {
    if (network.order.empty()) continue;
    const CallWork& only = *network.arrivals.top()->self;
    return only.waiting.next + 1 < static_cast<int>(only.requests.size());
  }
  return false;
}

int64_t BatchQueue::TargetFrames(int network, SteadyTime now) const {
  const int64_t waiting = networks_[static_cast<size_t>(network)].frames;
  int64_t target = std::max(workload_.Share(network, waiting, now), options_.min_shared_frames);
  if (waiting - target < options_.min_shared_frames) target = waiting;
  return std::min(target, FullBatch(network));
}

void BatchQueue::Fill(int index, SteadyTime now, Batch* batch, std::vector<DroppedCall>* dropped) {
  CallOrder& order = networks_[static_cast<size_t>(index)].order;
  const int64_t target = TargetFrames(index, now);
  Extent extent;
  batch->network = index;
  ++batches_;
  const auto is_full = [&](CallWork* call) {
    const int64_t frames = NextFrames(*call);
    return (!batch->windows.empty() && batch->frames + frames > options_.max_batch_frames) ||
           !MayExtend(index, call->waiting, frames, target, *batch, &extent);
  };
  while (batch->frames < target && !order.empty()) {
    CallWork* call = static_cast<Waiting*>(order.Next())->self.get();
    if (call->cancelled.load(std::memory_order_relaxed)) {
      Drop(call, absl::StatusCode::kCancelled, dropped);
      continue;
    }
    if (is_full(call)) {
      // Not for a caller's oldest call, perhaps, but for its shortest.
      CallWork* const shortest = static_cast<Waiting*>(order.Shortest())->self.get();
      if (shortest == call || shortest->cancelled.load(std::memory_order_relaxed) || is_full(shortest)) break;
      call = shortest;
    }
    TakeWindow(index, call, NextFrames(*call), batch);
  }
  for (const std::shared_ptr<CallWork>& call : batch->calls) {
    // While the batch was filled, less work left could only have kept a call where it was: first.
    if (call->waiting.self != nullptr) SetLeft(call.get(), call->waiting.left);
  }
}

bool BatchQueue::MayExtend(int network, const Waiting& waiting, int64_t frames, int64_t target, const Batch& batch,
                           Extent* extent) const {
  const bool call_ends = waiting.left <= target - batch.frames;
  const bool caller_ends = work_ahead_.FramesOf(network, waiting.caller) <= target;
  if ((extent->call_ends && !call_ends) || (extent->caller_ends && !caller_ends)) {
    const int64_t batch_cost = workload_.BatchCostInFrames(network);
    const int64_t ending = batch.frames - extent->surplus;
    // What a batch costs is told from batches of different sizes, and badly where they are alike.
    const int64_t worthwhile =
        std::max(std::min((kMostOfBatchCost - 1) * batch_cost, FullBatch(network)), options_.min_shared_frames);
    if (extent->surplus + frames > std::max(ending + batch_cost, worthwhile - ending)) return false;
    extent->surplus += frames;
  }
  extent->call_ends |= call_ends;
  extent->caller_ends |= caller_ends;
  return true;
}

void BatchQueue::TakeWindow(int index, CallWork* call, int64_t frames, Batch* batch) {
  Network& network = networks_[static_cast<size_t>(index)];
  Waiting& waiting = call->waiting;
  if (waiting.last_batch != batches_) {
    waiting.last_batch = batches_;
    waiting.index_in_last_batch = static_cast<int>(batch->calls.size());
    batch->calls.push_back(waiting.self);
  }
  batch->owners.push_back({waiting.index_in_last_batch, waiting.taken_before + waiting.next});
  batch->windows.push_back(call->requests[static_cast<size_t>(waiting.next)]);
  batch->frames += frames;

  network.order.Charge(waiting, Cost(index, frames));
  ++waiting.next;
  waiting.left -= frames;
  waiting.frames -= frames;
  network.frames -= frames;
  waiting_frames_ -= frames;
  if (waiting.next < static_cast<int>(call->requests.size())) return;
  if (waiting.complete) {
    TakeOut(call);
  } else {
    StopWaiting(call);
  }
}

// What the call has left is less or more than WorkAhead knows.
void BatchQueue::SetLeft(CallWork* call, int64_t left) {
  Waiting& waiting = call->waiting;
  const int64_t position = std::max(left, waiting.least_position);
  queued_frames_ += Reserved(left) - Reserved(waiting.work.frames);
  work_ahead_.Change(waiting.work, left, position);
  waiting.left = waiting.work.frames = left;
  waiting.work.position = position;
  if (waiting.frames > 0) {
    networks_[static_cast<size_t>(call->network)].order.Move(&waiting, position);
  } else {
    waiting.position = position;
  }
}

// Whether there is work for a batch; if its windows are not there, preparation is what takes the time.
bool BatchQueue::IsBusy() const { return queued_frames_ >= options_.max_batch_frames; }

int64_t BatchQueue::Reserved(int64_t left) const { return std::min(left, options_.credit_frames); }

void BatchQueue::FinishBatch(const Batch& batch, SteadyTime now, bool ok) {
  workload_.End(batch.workload_number, now, ok, IsBusy());
}

void BatchQueue::Remove(CallWork* call) {
  if (call->waiting.self != nullptr) TakeOut(call);
}

std::vector<std::shared_ptr<CallWork>> BatchQueue::RemoveAll() {
  std::vector<std::shared_ptr<CallWork>> calls;
  calls.reserve(static_cast<size_t>(deadlines_.size()));
  while (!deadlines_.empty()) {
    std::shared_ptr<CallWork> call = TakeOut(deadlines_.top()->self.get());
    if (!call->waiting.reserved) calls.push_back(std::move(call));
  }
  return calls;
}

void BatchQueue::Drop(CallWork* call, absl::StatusCode reason, std::vector<DroppedCall>* dropped) {
  std::shared_ptr<CallWork> gone = TakeOut(call);
  if (!gone->waiting.reserved) dropped->push_back({std::move(gone), reason});
}

void BatchQueue::DropExpired(SteadyTime now, std::vector<DroppedCall>* dropped) {
  while (!deadlines_.empty() && deadlines_.top_key().first <= now) {
    Drop(deadlines_.top()->self.get(), absl::StatusCode::kDeadlineExceeded, dropped);
  }
}

void BatchQueue::DropCancelled(std::vector<DroppedCall>* dropped) {
  refused_since_search_ = 0;
  std::vector<CallWork*> cancelled;
  deadlines_.ForEach([&](Waiting* waiting) {
    if (waiting->self->cancelled.load(std::memory_order_relaxed)) cancelled.push_back(waiting->self.get());
  });
  for (CallWork* call : cancelled) Drop(call, absl::StatusCode::kCancelled, dropped);
}

void BatchQueue::StopWaiting(CallWork* call) {
  Network& network = networks_[static_cast<size_t>(call->network)];
  network.order.Remove(&call->waiting);
  network.arrivals.Remove(&call->waiting);
  network.frames -= call->waiting.frames;
  waiting_frames_ -= call->waiting.frames;
  call->waiting.frames = 0;
  call->waiting.waits = false;
  --waiting_calls_;
  if (call->waiting.open_ended) --network.open_ended_waiting;
}

std::shared_ptr<CallWork> BatchQueue::TakeOut(CallWork* call) {
  if (call->waiting.waits) StopWaiting(call);
  deadlines_.Remove(&call->waiting);
  work_ahead_.Remove(call->waiting.work);
  if (call->waiting.open_ended) --networks_[static_cast<size_t>(call->network)].open_ended;
  queued_frames_ -= Reserved(call->waiting.work.frames);
  return std::move(call->waiting.self);
}

std::optional<absl::Duration> BatchQueue::TimeForAll(SteadyTime now) const {
  absl::Duration work = workload_.Remaining(now);
  for (size_t i = 0; i < networks_.size(); ++i) {
    const int64_t frames = work_ahead_.FramesOf(static_cast<int>(i));
    if (frames == 0) continue;
    const auto time = workload_.TimeFor(static_cast<int>(i), frames);
    if (!time.has_value()) return std::nullopt;
    work += *time;
  }
  return work / workload_.workers();
}

absl::Duration BatchQueue::RetryDelay(SteadyTime now) const {
  return std::clamp(TimeForAll(now).value_or(kUnknownRetryDelay), kMinRetryDelay, kMaxRetryDelay);
}

Load BatchQueue::LoadAt(SteadyTime now) const {
  return {.waiting = TimeForAll(now).value_or(absl::ZeroDuration()), .busy = workload_.Busy(now)};
}

}  // namespace hearwire
