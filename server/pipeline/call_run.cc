#include "server/pipeline/call_run.h"

#include <algorithm>
#include <utility>

#include "models/configs/network_shape.h"
#include "server/audio/non_finite.h"
#include "server/pipeline/call_errors.h"
#include "server/pipeline/clip_size.h"

namespace hearwire {
namespace {

// What a clip holds while it is being prepared: decoder, resampler, kernel, and the samples of a scene window.
constexpr int64_t kOpenClipBytes = 2 << 20;

absl::Duration SamplesToTime(int64_t samples) {
  return absl::Seconds(static_cast<double>(samples) / static_cast<double>(kSampleRateHz));
}

int64_t FramesOf(const std::vector<StreamWindow>& windows) {
  // All windows of a clip have as many.
  return windows.empty() ? 0 : static_cast<int64_t>(windows.size()) * windows.front().window.frame_count();
}

}  // namespace

CallRun::CallRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<CallerRegistry::Number> caller,
                 std::unique_ptr<Admission::Share> share)
    : parts_(parts),
      request_(std::move(request)),
      batcher_(request_.network->batcher),
      credit_frames_(batcher_->credit_frames()),
      row_size_(ReadoutSize(request_.network->shape, request_.network->info->mel.n_mels, request_.readout)),
      clip_count_(static_cast<int>(request_.clips.size())),
      work_(request_.work),
      caller_(std::move(caller)),
      clip_rows_(request_.clips.size(), ClipRows(request_.kind, row_size_)),
      share_(std::move(share)),
      prepared_(row_size_) {}

void CallRun::Start() {
  const KnownSize known = MeasureClips();
  if (std::optional<CallError> error = ReserveRoom(known)) return Finish(std::move(error));
  work_->network = request_.network->index;
  work_->caller = caller_->value();
  work_->deadline = request_.deadline;
  // These hold this, and this the work: the batcher lets go of them when it is done with the call.
  work_->computed = std::make_shared<const ComputedFunction>(
      [run = shared_from_this()](int64_t first, int64_t count) { run->OnComputed(first, count); });
  work_->done = [run = shared_from_this()](const absl::Status& status, const BatchTimes& times) {
    run->OnBatched(status, times);
  };
  const absl::Status status = batcher_->Admit(work_, {.frames = known.frames, .windows = known.windows});
  if (!status.ok()) {
    work_->computed = nullptr;
    work_->done = nullptr;
    if (absl::IsCancelled(status) || absl::IsDeadlineExceeded(status)) parts_.metrics->OnCancelled("decode");
    return Finish(FromBatcher(status, *batcher_));
  }
  const int tasks = std::min(clip_count_, parts_.options.threads);
  {
    MutexLock lock(&mu_);
    admitted_ = true;
    announced_ = true;
    tasks_ = tasks;
    samples_left_ = known.samples;
  }
  for (int i = 0; i < tasks; ++i) Schedule(known.samples);
}

// --- Sizes.

CallRun::KnownSize CallRun::MeasureClips() const {
  KnownSize known;
  for (int clip = 0; clip < clip_count_; ++clip) {
    const int64_t samples = LeastSamples(request_, clip, parts_.options.audio);
    const WindowCount count = CountWindows(request_, samples);
    known.samples += samples;
    known.frames += count.total_frames();
    known.windows += count.windows;
    known.rows += request_.kind == CallKind::kTimestamps ? count.windows : 1;
    known.complete = known.complete && std::holds_alternative<PcmAudio>(request_.clips[clip]);
  }
  return known;
}

std::optional<CallError> CallRun::ReserveRoom(const KnownSize& known) {
  MutexLock lock(&mu_);
  if (std::optional<CallError> error = TakeRows(known.rows, !known.complete)) return error;
  const int64_t frames = known.complete ? std::min(known.frames, credit_frames_) : credit_frames_;
  const int64_t windows = frames / (known.frames / known.windows) + 1;
  const int64_t frame_bytes = request_.network->info->mel.n_mels * static_cast<int64_t>(sizeof(float));
  const int64_t window_bytes =
      row_size_ * static_cast<int64_t>(sizeof(float)) + static_cast<int64_t>(sizeof(WindowRequest));
  if (!share_->Grow(frames * frame_bytes + windows * window_bytes)) return NoMemory();
  return std::nullopt;
}

std::optional<CallError> CallRun::TakeRows(int64_t rows, bool at_least) {
  if (rows <= reply_rows_) return std::nullopt;
  const int64_t bytes = ReplyBytes(rows);
  if (bytes > parts_.options.max_reply_bytes) return ReplyTooLarge(bytes, parts_.options.max_reply_bytes, at_least);
  // Twice: the message, and its bytes on their way out.
  const int64_t before = reply_rows_ > 0 ? ReplyBytes(reply_rows_) : 0;
  if (!share_->Grow(2 * (bytes - before))) return NoMemory();
  reply_rows_ = rows;
  return std::nullopt;
}

CallError CallRun::NoMemory() const {
  return NotAdmitted(Admission::Refusal::kMemoryFull, parts_.options.max_calls, parts_.options.max_bytes_in_flight,
                     *batcher_);
}

// --- Preparation.

void CallRun::Schedule(int64_t samples_left) {
  parts_.threads->Schedule(work_->caller, samples_left, [run = shared_from_this()] { return run->PrepareSlice(); });
}

std::optional<int64_t> CallRun::PrepareSlice() {
  std::unique_ptr<OpenClip> clip;
  std::optional<CallError> error;
  {
    MutexLock lock(&mu_);
    if (!ended_) clip = TakeClip();
  }
  std::vector<StreamWindow> windows;
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
  if (!share_->Grow(kOpenClipBytes)) {
    NoteFault(next_clip_, NoMemory());
    return nullptr;
  }
  ++open_clips_;
  const int index = next_clip_++;
  return std::make_unique<OpenClip>(request_, index, parts_.options.audio);
}

void CallRun::CloseClip() {
  --open_clips_;
  share_->Shrink(kOpenClipBytes);
}

std::optional<CallError> CallRun::Prepare(OpenClip* clip, std::vector<StreamWindow>* windows, bool* ended) const {
  const SteadyTime end = SteadyTime::Now() + PreparationPool::kSliceTime;
  do {
    auto step = clip->feed.Step(windows);
    if (CallError* error = std::get_if<CallError>(&step)) return std::move(*error);
    *ended = std::get<ClipFeed::Progress>(step) == ClipFeed::Progress::kEnd;
  } while (!*ended && FramesOf(*windows) < credit_frames_ / 2 && SteadyTime::Now() < end);
  return std::nullopt;
}

std::optional<CallError> CallRun::Append(int clip, bool ended, std::vector<StreamWindow> windows) {
  if (windows.empty() && !ended) return std::nullopt;
  const bool complete = ended && open_clips_ == 0 && next_clip_ == clip_count_;
  if (request_.kind == CallKind::kTimestamps) {
    timestamp_rows_ += static_cast<int64_t>(windows.size());
    if (std::optional<CallError> error = TakeRows(timestamp_rows_, !complete)) return error;
  }
  prepared_frames_ += FramesOf(windows);
  std::vector<WindowRequest> requests = prepared_.Add(clip, std::move(windows), ended, request_.readout);
  if (complete) announced_ = false;  // The batcher knows it by this.
  const absl::Status status = batcher_->Append(work_.get(), std::move(requests), complete);
  if (status.ok()) return std::nullopt;
  if (std::optional<CallError> stop = WhyStop()) return stop;
  return FromBatcher(status, *batcher_);
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
  if (announced == announced_) return;
  announced_ = announced;
  if (announced) {
    batcher_->BeginPreparation();
  } else {
    batcher_->EndPreparation();
  }
}

std::optional<CallError> CallRun::WhyStop() const {
  if (SteadyTime::Now() >= request_.deadline) return DeadlinePassed();
  if (work_->cancelled.load()) return CallerGone();
  if (parts_.shutting_down.load()) return ShuttingDown();
  return std::nullopt;
}

// --- Answers.

void CallRun::OnComputed(int64_t first_window, int64_t count) {
  int resumed = 0;
  int64_t samples_left = 0;
  {
    MutexLock lock(&mu_);
    prepared_frames_ -= prepared_.OnComputed(first_window, count);
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

void CallRun::OnBatched(const absl::Status& status, const BatchTimes& times) {
  {
    MutexLock lock(&mu_);
    report_.times.queued = times.queued;
    report_.times.inference = times.inference;
    batched_ = status.ok();
  }
  // gRPC cancels calls whose deadline passes; the deadline is what they failed for.
  if (absl::IsCancelled(status) && SteadyTime::Now() >= request_.deadline) return Finish(DeadlinePassed());
  if (!status.ok()) return Finish(FromBatcher(status, *batcher_));
  parts_.metrics->OnRows(times.queued, times.inference);
  if (work_->cancelled.load()) {
    parts_.metrics->OnCancelled("inference");
    return Finish(CallerGone());
  }
  Deliver();
}

void CallRun::Deliver() {
  while (true) {
    std::optional<PreparedWindows::Piece> piece;
    {
      MutexLock lock(&mu_);
      if (delivering_ || ended_) return;
      piece = prepared_.Take();
      if (!piece && !(batched_ && prepared_.empty())) return;
      delivering_ = piece.has_value();
    }
    if (!piece) return Finish(std::nullopt);
    std::optional<CallError> error = GiveRows(*piece);
    {
      MutexLock lock(&mu_);
      delivering_ = false;
      if (!error) error = std::exchange(late_end_, std::nullopt);
    }
    if (error) return Finish(std::move(error));
  }
}

std::optional<CallError> CallRun::GiveRows(const PreparedWindows::Piece& piece) {
  const absl::Span<const float> rows(piece.rows.get(), static_cast<size_t>(piece.windows) * row_size_);
  if (FindNonFinite(rows) >= 0) {
    return BadClip(request_, piece.clip,
                   "its embedding is not finite: the network overflows on samples as large as these; 1.0 is full "
                   "scale");
  }
  const absl::Span<const float> known = clip_rows_[piece.clip].Add(rows, piece.last_of_clip);
  return known.empty() ? std::nullopt : request_.sink->OnRows(piece.clip, known);
}

void CallRun::Finish(std::optional<CallError> error) {
  CallReport report;
  std::unique_ptr<Admission::Share> share;
  std::vector<std::unique_ptr<OpenClip>> clips;
  bool admitted;
  int64_t reply_bytes;
  {
    MutexLock lock(&mu_);
    if (ended_) return;
    if (delivering_) {
      if (!late_end_) late_end_ = std::move(error);
      return;
    }
    ended_ = true;
    admitted = admitted_;
    report = report_;
    share = std::move(share_);
    clips.swap(waiting_clips_);
    reply_bytes = error ? 0 : ReplyBytes(reply_rows_);
    if (tasks_ == 0) Announce(false);  // Else the last task does.
  }
  // What batches run writes into prepared_, which lives until the batcher lets go of this.
  if (error && admitted) batcher_->Abandon(work_);
  if (!error) {
    parts_.metrics->OnAudio(report.audio);
  } else if (reason::IsRefusal(error->reason)) {
    parts_.metrics->OnRejected(error->reason);
  }
  // gRPC keeps the request, the reply and the reply's bytes until they have left.
  share->ShrinkTo(request_.request_bytes + 2 * reply_bytes);
  request_.sink->OnEnd(error ? &*error : nullptr, report, std::move(share));
}

}  // namespace hearwire
