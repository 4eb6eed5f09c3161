#include "server/pipeline/call_run.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "server/audio/non_finite.h"
#include "server/pipeline/call_errors.h"

namespace hearwire {
namespace {

// What a clip holds while it is being prepared: decoder and resampler, and for each lane the kernel and the samples of
// a scene window.
constexpr int64_t kDecoderBytes = 1 << 20;
constexpr int64_t kLaneBytes = 1 << 20;

int64_t LeastCredit(const CallRequest& request, int64_t most) {
  for (const LaneRequest& lane : request.lanes) most = std::min(most, lane.network->batcher->credit_frames());
  return most;
}

}  // namespace

CallRun::CallRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<CallerRegistry::Number> caller,
                 std::unique_ptr<Admission::Share> share, int64_t most_credit_frames)
    : parts_(parts),
      request_(std::move(request)),
      caller_(std::move(caller)),
      share_(std::move(share)),
      credit_frames_(LeastCredit(request_, most_credit_frames)) {
  for (const LaneRequest& lane : request_.lanes) lanes_.emplace_back(lane);
}

int64_t CallRun::OpenClipBytes() const {
  return kDecoderBytes + static_cast<int64_t>(request_.lanes.size()) * kLaneBytes;
}

int64_t CallRun::PreparedBytes(const LaneRequest& lane, int row_size, int64_t frames, int64_t per_window) {
  const int64_t frame_bytes = lane.network->info->mel.n_mels * static_cast<int64_t>(sizeof(float));
  const int64_t window_bytes =
      row_size * static_cast<int64_t>(sizeof(float)) + static_cast<int64_t>(sizeof(WindowRequest));
  return frames * frame_bytes + (frames / per_window + 1) * window_bytes;
}

CallError CallRun::NoMemory() const {
  return NotAdmitted(Admission::Refusal::kMemoryFull, parts_.options.max_calls, parts_.options.max_bytes_in_flight,
                     *request_.lanes.front().network->batcher);
}

std::optional<CallError> CallRun::EnterBatchers(const std::vector<Reservation>& lanes) {
  for (size_t i = 0; i < request_.lanes.size(); ++i) {
    const LaneRequest& lane = request_.lanes[i];
    CallWork& work = *lane.work;
    work.network = lane.network->index;
    work.caller = caller_->value();
    work.caller_weight = caller_->weight();
    work.caller_id = std::hash<std::string>()(request_.caller);
    work.deadline = request_.deadline;
    // These hold this, and this the work: the batcher lets go of them when it is done with the lane.
    work.computed = std::make_shared<const ComputedFunction>(
        [run = shared_from_this(), i](int64_t first, int64_t count) { run->OnComputed(i, first, count); });
    work.done = [run = shared_from_this(), i](const absl::Status& status, const BatchTimes& times) {
      run->OnBatched(i, status, times);
    };
    const absl::Status status = lane.network->batcher->Admit(lane.work, lanes[i]);
    if (!status.ok()) {
      work.computed = nullptr;
      work.done = nullptr;
      return FromBatcher(status, *lane.network->batcher);
    }
    bool ended;
    {
      MutexLock lock(&mu_);
      lanes_[i].admitted = lanes_[i].announced = true;
      ended = ended_;
    }
    // By a lane before this one. Whoever ended the call did not know of this one.
    if (ended) lane.network->batcher->Abandon(lane.work);
  }
  return std::nullopt;
}

void CallRun::Schedule(int64_t samples_left) {
  parts_.threads->Schedule(caller_->value(), caller_->weight(), samples_left,
                           [run = shared_from_this()]() noexcept { return run->PrepareSlice(); });
}

void CallRun::RunOrSchedule(int64_t samples_left) {
  parts_.threads->RunOrSchedule(caller_->value(), caller_->weight(), samples_left,
                                [run = shared_from_this()]() noexcept { return run->PrepareSlice(); });
}

std::optional<CallError> CallRun::Append(int clip, bool complete, LaneWindows windows) {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (std::optional<CallError> error = AppendTo(&lanes_[i], clip, complete, std::move(windows[i]))) return error;
  }
  return std::nullopt;
}

std::optional<CallError> CallRun::AppendTo(CallLane* lane, int clip, bool complete, LaneCut cut) {
  const bool is_piece = !cut.windows.empty() || cut.has_ended;
  if (!is_piece && !complete) return std::nullopt;
  lane->windows += static_cast<int64_t>(cut.windows.size());
  prepared_frames_ += FramesOf(cut.windows);
  std::vector<WindowRequest> requests;
  if (is_piece) {
    const absl::Status added = Contain(
        [&] { requests = lane->prepared.Add(clip, std::move(cut.windows), cut.has_ended, lane->request->readouts); });
    if (!added.ok()) return FromContained(added);
  }
  if (complete) lane->announced = false;  // The batcher knows it by this.
  const absl::Status status = lane->batcher->Append(lane->request->work.get(), std::move(requests), complete);
  if (status.ok()) return std::nullopt;
  if (std::optional<CallError> stop = WhyStop()) return stop;
  return FromBatcher(status, *lane->batcher);
}

void CallRun::Account(int64_t samples, absl::Duration spent) {
  samples_left_ = std::max<int64_t>(samples_left_ - samples, 0);
  report_.audio += absl::Seconds(static_cast<double>(samples) / static_cast<double>(kSampleRateHz));
  report_.times.decode += spent;
}

void CallRun::Announce(bool announced) {
  for (CallLane& lane : lanes_) {
    if (announced == lane.announced) continue;
    lane.announced = announced;
    if (announced) {
      lane.batcher->BeginPreparation();
    } else {
      lane.batcher->EndPreparation();
    }
  }
}

std::optional<CallError> CallRun::WhyStop() const {
  if (SteadyTime::Now() >= request_.deadline) return DeadlinePassed();
  if (request_.lanes.front().work->cancelled.load()) return CallerGone();
  if (parts_.shutting_down.load()) return ShuttingDown();
  return std::nullopt;
}

// --- Answers.

void CallRun::OnComputed(size_t lane, int64_t first_window, int64_t count) {
  int resumed = 0;
  int64_t samples_left = 0;
  {
    MutexLock lock(&mu_);
    prepared_frames_ -= lanes_[lane].prepared.OnComputed(first_window, count);
    if (!ended_ && HasHalfItsCredit()) resumed = Resume();
    samples_left = samples_left_;
  }
  for (int i = 0; i < resumed; ++i) Schedule(samples_left);
  Deliver();
}

void CallRun::OnBatched(size_t lane, const absl::Status& status, const BatchTimes& times) {
  {
    MutexLock lock(&mu_);
    report_.times.queued = std::max(report_.times.queued, times.queued);
    report_.times.inference += times.inference;
    report_.times.share += times.share;
    lanes_[lane].batched = status.ok();
  }
  // gRPC cancels calls whose deadline passes; the deadline is what they failed for.
  if (absl::IsCancelled(status) && SteadyTime::Now() >= request_.deadline) return Finish(DeadlinePassed());
  if (!status.ok()) return Finish(FromBatcher(status, *request_.lanes[lane].network->batcher));
  parts_.metrics->OnRows(times.queued, times.inference);
  if (request_.lanes[lane].work->cancelled.load()) {
    parts_.metrics->OnCancelled("inference");
    return Finish(CallerGone());
  }
  Deliver();
}

void CallRun::Deliver() {
  while (true) {
    std::optional<std::pair<size_t, PreparedWindows::Piece>> piece;
    std::optional<CallError> error;
    {
      MutexLock lock(&mu_);
      if (delivering_ || ended_) return;
      piece = TakePiece();
      if (!piece && !IsAllDelivered()) return;
      delivering_ = piece.has_value();
      if (!piece) error = last_word_;
    }
    if (!piece) return Finish(std::move(error));
    error = GiveRows(piece->first, piece->second);
    {
      MutexLock lock(&mu_);
      delivering_ = false;
      if (!error) error = std::exchange(late_end_, std::nullopt);
    }
    if (error) return Finish(std::move(error));
  }
}

std::optional<std::pair<size_t, PreparedWindows::Piece>> CallRun::TakePiece() {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (auto piece = lanes_[i].prepared.Take()) return std::pair(i, *std::move(piece));
  }
  return std::nullopt;
}

bool CallRun::IsAllDelivered() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const CallLane& lane) { return lane.batched && lane.prepared.empty(); });
}

std::optional<CallError> CallRun::GiveRows(size_t lane, const PreparedWindows::Piece& piece) {
  const absl::Span<const float> rows(piece.rows.get(), static_cast<size_t>(piece.values));
  WindowRows given{.lane = static_cast<int>(lane),
                   .clip = piece.clip,
                   .first_window = piece.first_of_clip,
                   .rows = rows,
                   .last = piece.last_of_clip};
  const int64_t bad = FindNonFinite(rows);
  if (bad >= 0) {
    const int64_t row_size = piece.values / piece.windows;
    given.rows = rows.first(static_cast<size_t>(bad / row_size * row_size));
    given.last = false;
  }
  if (!given.rows.empty() || given.last) {
    if (auto error = ContainCall([&] { return request_.sink->OnRows(given); })) return error;
  }
  if (bad < 0) return std::nullopt;
  return BadClip(request_, piece.clip,
                 "its embedding is not finite: the network overflows on samples as large as these; 1.0 is full scale");
}

void CallRun::EndWhilePreparing(CallError error) {
  if (absl::IsCancelled(error.status) || absl::IsDeadlineExceeded(error.status)) parts_.metrics->OnCancelled("decode");
  Finish(std::move(error));
}

void CallRun::Finish(std::optional<CallError> error) {
  CallReport report;
  std::unique_ptr<Admission::Share> share;
  std::vector<const LaneRequest*> admitted;
  {
    MutexLock lock(&mu_);
    if (ended_) return;
    if (delivering_) {
      if (!late_end_) late_end_ = std::move(error);
      return;
    }
    ended_ = true;
    for (const CallLane& lane : lanes_) {
      if (lane.admitted) admitted.push_back(lane.request);
    }
    report = report_;
    share = std::move(share_);
    // gRPC keeps the request, the reply and the reply's bytes until they have left.
    share->ShrinkTo(request_.request_bytes + (error ? 0 : BytesOfReply()));
    OnFinish();
    if (tasks_ == 0) Announce(false);  // Else the last task does.
  }
  if (!error) {
    parts_.metrics->OnAudio(report.audio);
  } else {
    // What batches run writes into the lanes, which live until the batchers let go of this.
    for (const LaneRequest* lane : admitted) lane->network->batcher->Abandon(lane->work);
    if (reason::IsRefusal(error->reason)) parts_.metrics->OnRejected(error->reason);
  }
  request_.sink->OnEnd(error ? &*error : nullptr, report, std::move(share));
}

}  // namespace hearwire
