#include "server/pipeline/call_run.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "server/audio/non_finite.h"
#include "server/pipeline/call_errors.h"

namespace hearwire {
namespace {

// What a clip holds while it is being prepared: decoder and resampler, and for each lane the kernel and the samples of
// a scene window.
constexpr int64_t kDecoderBytes = 1 << 20;
constexpr int64_t kLaneBytes = 1 << 20;

absl::Duration SamplesToTime(int64_t samples) {
  return absl::Seconds(static_cast<double>(samples) / static_cast<double>(kSampleRateHz));
}

int64_t FramesOf(const std::vector<StreamWindow>& windows) {
  // All windows of a clip have as many.
  return windows.empty() ? 0 : static_cast<int64_t>(windows.size()) * windows.front().window.frame_count();
}

int64_t FramesOf(const LaneWindows& lanes) {
  int64_t frames = 0;
  for (const std::vector<StreamWindow>& windows : lanes) frames += FramesOf(windows);
  return frames;
}

int64_t OpenClipBytes(const CallRequest& request) {
  return kDecoderBytes + static_cast<int64_t>(request.lanes.size()) * kLaneBytes;
}

int64_t LeastCredit(const CallRequest& request) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const LaneRequest& lane : request.lanes) least = std::min(least, lane.network->batcher->credit_frames());
  return least;
}

}  // namespace

CallRun::CallRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<CallerRegistry::Number> caller,
                 std::unique_ptr<Admission::Share> share)
    : parts_(parts),
      request_(std::move(request)),
      credit_frames_(LeastCredit(request_)),
      clip_count_(static_cast<int>(request_.clips.size())),
      caller_(std::move(caller)),
      share_(std::move(share)) {
  for (size_t i = 0; i < request_.lanes.size(); ++i) lanes_.emplace_back(request_.lanes[i], request_.reply.per_row[i]);
}

// --- Preparation.

void CallRun::Schedule(int64_t samples_left) {
  parts_.threads->Schedule(caller_->value(), samples_left, [run = shared_from_this()] { return run->PrepareSlice(); });
}

std::optional<int64_t> CallRun::PrepareSlice() {
  std::unique_ptr<OpenClip> clip;
  std::optional<CallError> error;
  {
    MutexLock lock(&mu_);
    if (!ended_) clip = TakeClip();
  }
  LaneWindows windows(request_.lanes.size());
  bool clip_ended = false;
  absl::Duration spent;
  if (clip != nullptr) {
    const SteadyTime start = SteadyTime::Now();
    error = WhyStop();
    if (!error) error = Prepare(clip.get(), &windows, &clip_ended);
    spent = SteadyTime::Now() - start;
  }

  std::optional<CallError> end;  // Of the call.
  bool go_on = false;
  int64_t samples_left = 0;
  {
    MutexLock lock(&mu_);
    if (clip != nullptr && !ended_) {
      const int64_t samples = clip->feed.samples() - clip->reported_samples;
      clip->reported_samples += samples;
      samples_left_ = std::max<int64_t>(samples_left_ - samples, 0);
      report_.audio += SamplesToTime(samples);
      report_.times.decode += spent;
      const int index = clip->index;
      if (clip_ended || error) {
        CloseClip();
      } else {
        waiting_clips_.push_back(std::move(clip));
      }
      // After a fault, clips are prepared only to look for an earlier one.
      if (!error && !error_) error = Append(index, clip_ended, std::move(windows));
      if (error) NoteFault(index, *std::move(error));
    }
    go_on = GoOn();
    if (!go_on && tasks_ == 0 && !ended_) end = error_;
    samples_left = samples_left_;
  }
  if (go_on) return samples_left;
  if (!end) return std::nullopt;
  if (absl::IsCancelled(end->status) || absl::IsDeadlineExceeded(end->status)) parts_.metrics->OnCancelled("decode");
  Finish(std::move(end));
  return std::nullopt;
}

std::unique_ptr<CallRun::OpenClip> CallRun::TakeClip() {
  const auto first = std::min_element(waiting_clips_.begin(), waiting_clips_.end(),
                                      [](const auto& a, const auto& b) { return a->index < b->index; });
  if (first != waiting_clips_.end() && !(error_ && (*first)->index > failed_clip_)) {
    std::unique_ptr<OpenClip> clip = std::move(*first);
    waiting_clips_.erase(first);
    return clip;
  }
  if (error_ || next_clip_ == clip_count_) return nullptr;
  if (!share_->Grow(OpenClipBytes(request_))) {
    NoteFault(next_clip_, NoMemory());
    return nullptr;
  }
  ++open_clips_;
  const int index = next_clip_++;
  return std::make_unique<OpenClip>(request_, index, parts_.options.audio);
}

void CallRun::CloseClip() {
  --open_clips_;
  share_->Shrink(OpenClipBytes(request_));
}

std::optional<CallError> CallRun::Prepare(OpenClip* clip, LaneWindows* windows, bool* ended) const {
  const SteadyTime end = SteadyTime::Now() + PreparationPool::kSliceTime;
  do {
    auto step = clip->feed.Step(windows);
    if (CallError* error = std::get_if<CallError>(&step)) return std::move(*error);
    *ended = std::get<ClipFeed::Progress>(step) == ClipFeed::Progress::kEnd;
  } while (!*ended && FramesOf(*windows) < credit_frames_ / 2 && SteadyTime::Now() < end);
  return std::nullopt;
}

std::optional<CallError> CallRun::Append(int clip, bool ended, LaneWindows windows) {
  const bool complete = ended && open_clips_ == 0 && next_clip_ == clip_count_;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (std::optional<CallError> error = AppendTo(&lanes_[i], clip, ended, complete, std::move(windows[i]))) {
      return error;
    }
  }
  return std::nullopt;
}

std::optional<CallError> CallRun::AppendTo(CallLane* lane, int clip, bool ended, bool complete,
                                           std::vector<StreamWindow> windows) {
  if (windows.empty() && !ended) return std::nullopt;
  lane->windows += static_cast<int64_t>(windows.size());
  if (lane->request->kind == LaneKind::kTimestamps) {
    if (std::optional<CallError> error = TakeReplyRoom(lane, lane->windows, !complete)) return error;
  }
  prepared_frames_ += FramesOf(windows);
  std::vector<WindowRequest> requests = lane->prepared.Add(clip, std::move(windows), ended, lane->request->readout);
  if (complete) lane->announced = false;  // The batcher knows it by this.
  const absl::Status status = lane->batcher->Append(lane->request->work.get(), std::move(requests), complete);
  if (status.ok()) return std::nullopt;
  if (std::optional<CallError> stop = WhyStop()) return stop;
  return FromBatcher(status, *lane->batcher);
}

void CallRun::NoteFault(int clip, CallError error) {
  if (error_ && failed_clip_ <= clip) return;
  error_ = std::move(error);
  failed_clip_ = clip;
}

bool CallRun::GoOn() {
  const int failed_clip = failed_clip_;
  const bool has_clip = !ended_ && (error_ ? std::any_of(waiting_clips_.begin(), waiting_clips_.end(),
                                                         [&](const auto& clip) { return clip->index < failed_clip; })
                                           : !waiting_clips_.empty() || next_clip_ < clip_count_);
  if (has_clip && (error_ || prepared_frames_ < credit_frames_)) return true;
  --tasks_;
  if (has_clip) ++paused_tasks_;
  if (tasks_ == 0) Announce(false);
  return false;
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
    if (!ended_ && !error_ && prepared_frames_ <= credit_frames_ / 2) {
      resumed = std::exchange(paused_tasks_, 0);
      tasks_ += resumed;
      if (resumed > 0) Announce(true);
    }
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
    {
      MutexLock lock(&mu_);
      if (delivering_ || ended_) return;
      piece = TakePiece();
      if (!piece && !IsAllDelivered()) return;
      delivering_ = piece.has_value();
    }
    if (!piece) return Finish(std::nullopt);
    std::optional<CallError> error = GiveRows(piece->first, piece->second);
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
  if (FindNonFinite(rows) >= 0) {
    return BadClip(request_, piece.clip,
                   "its embedding is not finite: the network overflows on samples as large as these; 1.0 is full "
                   "scale");
  }
  return request_.sink->OnRows({.lane = static_cast<int>(lane),
                                .clip = piece.clip,
                                .first_window = piece.first_of_clip,
                                .rows = rows,
                                .last = piece.last_of_clip});
}

void CallRun::Finish(std::optional<CallError> error) {
  CallReport report;
  std::unique_ptr<Admission::Share> share;
  std::vector<std::unique_ptr<OpenClip>> clips;
  std::vector<const LaneRequest*> admitted;
  int64_t reply_bytes;
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
    clips.swap(waiting_clips_);
    reply_bytes = error ? 0 : reply_bytes_;
    if (tasks_ == 0) Announce(false);  // Else the last task does.
  }
  if (!error) {
    parts_.metrics->OnAudio(report.audio);
  } else {
    // What batches run writes into the lanes, which live until the batchers let go of this.
    for (const LaneRequest* lane : admitted) lane->network->batcher->Abandon(lane->work);
    if (reason::IsRefusal(error->reason)) parts_.metrics->OnRejected(error->reason);
  }
  // gRPC keeps the request, the reply and the reply's bytes until they have left.
  share->ShrinkTo(request_.request_bytes + 2 * reply_bytes);
  request_.sink->OnEnd(error ? &*error : nullptr, report, std::move(share));
}

}  // namespace hearwire
