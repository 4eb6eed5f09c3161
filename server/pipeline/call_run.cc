#include "server/pipeline/call_run.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "models/configs/network_shape.h"
#include "server/audio/non_finite.h"
#include "server/concurrency/steady_time.h"
#include "server/pipeline/call_errors.h"
#include "server/pipeline/clip_preparation.h"
#include "server/pipeline/clip_rows.h"

namespace hearwire {
namespace {

absl::Duration SamplesToTime(size_t samples) {
  return absl::Seconds(static_cast<double>(samples) / static_cast<double>(kSampleRateHz));
}

int64_t FrameBytes(int64_t frames, int mels) { return frames * mels * static_cast<int64_t>(sizeof(float)); }

}  // namespace

CallRun::CallRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<Admission::Share> share)
    : parts_(parts),
      request_(std::move(request)),
      batcher_(request_.network->batcher),
      row_size_(ReadoutSize(request_.network->shape, request_.network->info->mel.n_mels, request_.readout)),
      clip_count_(static_cast<int>(request_.clips.size())),
      share_(std::move(share)),
      clips_(request_.clips.size()),
      windows_per_clip_(request_.clips.size()) {}

void CallRun::Start() {
  if (std::optional<CallError> error = Reserve()) {
    CountIfGivenUp(*error);
    return Finish(*std::move(error));
  }
  batcher_->BeginPreparation();
  const int tasks = std::min(clip_count_, parts_.options.threads);
  {
    MutexLock lock(&mu_);
    running_ = tasks;
  }
  for (int i = 0; i < tasks; ++i) {
    parts_.threads->Schedule([run = shared_from_this()] { run->PrepareNextClip(); });
  }
}

void CallRun::PrepareNextClip() {
  int clip = -1;
  {
    MutexLock lock(&mu_);
    if (!error_ && next_clip_ < clip_count_) clip = next_clip_++;
  }
  if (clip >= 0) {
    const SteadyTime start = SteadyTime::Now();
    std::optional<CallError> error = WhyStop();
    if (!error) error = PrepareClip(clip);
    MutexLock lock(&mu_);
    report_.times.decode += SteadyTime::Now() - start;
    if (error && (!error_ || clip < failed_clip_)) {
      error_ = std::move(error);
      failed_clip_ = clip;
    }
  }
  bool more = false;
  bool last = false;
  std::optional<CallError> error;
  {
    MutexLock lock(&mu_);
    more = !error_ && next_clip_ < clip_count_;
    if (!more) last = --running_ == 0;
    if (last) error = error_;
  }
  if (more) {
    parts_.threads->Schedule([run = shared_from_this()] { run->PrepareNextClip(); });
  } else if (last) {
    if (!error) error = WhyStop();
    if (error) {
      CountIfGivenUp(*error);
      batcher_->Withdraw(request_.work.get());
      batcher_->EndPreparation();
      Finish(*std::move(error));
    } else {
      Submit();
    }
  }
}

void CallRun::CountIfGivenUp(const CallError& error) {
  if (absl::IsCancelled(error.status) || absl::IsDeadlineExceeded(error.status)) parts_.metrics->OnCancelled("decode");
}

std::optional<CallError> CallRun::PrepareClip(int clip) {
  std::optional<CallError> stop;
  const auto is_cancelled = [&] {
    stop = WhyStop();
    return stop.has_value();
  };
  int64_t sample_bytes = 0;
  const absl::Cleanup give_back = [&] { share_->Shrink(sample_bytes); };  // After the samples have gone.
  const auto take_room = [&](int64_t bytes) {
    if (share_->Grow(bytes)) {
      sample_bytes += bytes;
    } else {
      stop = NoMemory();
    }
    return !stop;
  };
  auto decoded = DecodeClip(request_, clip, parts_.options.audio, is_cancelled, take_room);
  if (stop) return stop;
  if (CallError* error = std::get_if<CallError>(&decoded)) return std::move(*error);
  const std::vector<float>& samples = std::get<std::vector<float>>(decoded);
  {
    MutexLock lock(&mu_);
    report_.audio += SamplesToTime(samples.size());
  }
  const WindowCount count = CountWindows(request_, static_cast<int64_t>(samples.size()));
  if (std::optional<CallError> error = TakeRoom(count)) return error;

  auto made = MakeWindows(request_, clip, samples);
  if (CallError* error = std::get_if<CallError>(&made)) return std::move(*error);
  clips_[clip] = std::move(std::get<ClipWindows>(made));
  windows_per_clip_[clip] = static_cast<int64_t>(clips_[clip].windows.size());
  // Windows share frames: what was taken beforehand was the most they could need.
  const int64_t taken = FrameBytes(count.total_frames(), request_.network->info->mel.n_mels);
  const int64_t held = clips_[clip].frame_bytes;
  if (taken > held) share_->Shrink(taken - held);
  return std::nullopt;
}

std::optional<CallError> CallRun::TooLarge(int64_t frames, int64_t rows, bool at_least) const {
  const PipelineOptions& options = parts_.options;
  const int64_t reply_bytes = ReplyBytes(rows);
  if (reply_bytes > options.max_reply_bytes) {
    return ReplyTooLarge(reply_bytes, options.max_reply_bytes, at_least);
  }
  if (frames > options.max_queued_frames) {
    return CallTooLarge(frames, options.max_queued_frames,
                        LongestClip(request_, options.max_queued_frames, options.audio.max_decoded), at_least);
  }
  return std::nullopt;
}

std::optional<CallError> CallRun::Reserve() {
  Reservation reservation;
  int64_t rows = 0;
  bool all_known = true;
  for (int clip = 0; clip < clip_count_; ++clip) {
    const WindowCount count = CountWindows(request_, LeastSamples(request_, clip, parts_.options.audio));
    reservation.frames += count.total_frames();
    reservation.windows += count.windows;
    rows += RowCount(count);
    all_known = all_known && std::holds_alternative<PcmAudio>(request_.clips[clip]);
  }
  if (std::optional<CallError> error = TooLarge(reservation.frames, rows, !all_known)) return error;
  request_.work->network = request_.network->index;
  request_.work->deadline = request_.deadline;
  const absl::Status status = batcher_->Reserve(request_.work, reservation);
  if (status.ok()) return std::nullopt;
  return FromBatcher(status, *batcher_);
}

CallError CallRun::NoMemory() const {
  return NotAdmitted(Admission::Refusal::kMemoryFull, parts_.options.max_calls, parts_.options.max_bytes_in_flight,
                     *batcher_);
}

std::optional<CallError> CallRun::TakeRoom(const WindowCount& count) {
  const int64_t rows = RowCount(count);
  int64_t frames;
  int64_t reply_rows;
  bool at_least;
  {
    MutexLock lock(&mu_);
    frames = frames_ += count.total_frames();
    reply_rows = reply_rows_ += rows;
    at_least = ++counted_clips_ < clip_count_;
  }
  if (std::optional<CallError> error = TooLarge(frames, reply_rows, at_least)) return error;
  const int64_t bytes_per_window = row_size_ * sizeof(float) + sizeof(Window) + sizeof(WindowRequest);
  const int64_t bytes = FrameBytes(count.total_frames(), request_.network->info->mel.n_mels) +
                        count.windows * bytes_per_window + request_.reply.per_clip + rows * request_.reply.per_row;
  if (share_->Grow(bytes)) return std::nullopt;
  return NoMemory();
}

std::optional<CallError> CallRun::WhyStop() const {
  if (SteadyTime::Now() >= request_.deadline) return DeadlinePassed();
  if (request_.work->cancelled.load()) return CallerGone();
  if (parts_.shutting_down.load()) return ShuttingDown();
  return std::nullopt;
}

void CallRun::Submit() {
  const int64_t windows = std::accumulate(windows_per_clip_.begin(), windows_per_clip_.end(), int64_t{0});
  rows_.resize(static_cast<size_t>(windows) * row_size_);
  const std::shared_ptr<CallWork> work = request_.work;
  work->announced = true;
  work->requests.reserve(windows);
  float* row = rows_.data();
  for (const ClipWindows& clip : clips_) {
    for (const Window& window : clip.windows) {
      work->requests.push_back({.window = window, .readout = request_.readout, .row = row});
      row += row_size_;
    }
  }
  work->done = [run = shared_from_this()](const absl::Status& status, const BatchTimes& times) {
    run->OnBatched(status, times);
  };
  const absl::Status status = batcher_->Submit(work);
  if (status.ok()) return;
  work->done = nullptr;  // It holds this, and this the work.
  if (absl::IsCancelled(status) || absl::IsDeadlineExceeded(status)) parts_.metrics->OnCancelled("queue");
  Finish(FromBatcher(status, *batcher_));
}

void CallRun::OnBatched(const absl::Status& status, const BatchTimes& times) {
  {
    MutexLock lock(&mu_);
    report_.times.queued = times.queued;
    report_.times.inference = times.inference;
  }
  // gRPC cancels calls whose deadline passes; the deadline is what they failed for.
  if (absl::IsCancelled(status) && SteadyTime::Now() >= request_.deadline) return Finish(DeadlinePassed());
  if (!status.ok()) return Finish(FromBatcher(status, *batcher_));
  parts_.metrics->OnRows(times.queued, times.inference);
  if (request_.work->cancelled.load()) {
    parts_.metrics->OnCancelled("inference");
    return Finish(CallerGone());
  }
  Finish(GiveRows());
}

std::optional<CallError> CallRun::GiveRows() {
  absl::Span<const float> rest = rows_;
  for (int clip = 0; clip < clip_count_; ++clip) {
    const absl::Span<const float> rows = rest.subspan(0, static_cast<size_t>(windows_per_clip_[clip]) * row_size_);
    rest.remove_prefix(rows.size());
    if (FindNonFinite(rows) >= 0) {
      return BadClip(request_, clip,
                     "its embedding is not finite: the network overflows on samples as large as these; 1.0 is full "
                     "scale");
    }
    ClipRows clip_rows(request_.kind, row_size_);
    if (std::optional<CallError> error = request_.sink->OnRows(clip, clip_rows.Add(rows, /*last=*/true))) return error;
  }
  return std::nullopt;
}

void CallRun::Finish(std::optional<CallError> error) {
  CallReport report;
  int64_t reply_rows;
  {
    MutexLock lock(&mu_);
    report = report_;
    reply_rows = reply_rows_;
  }
  if (!error) {
    parts_.metrics->OnAudio(report.audio);
  } else if (reason::IsRefusal(error->reason)) {
    parts_.metrics->OnRejected(error->reason);
  }
  // Others may hold the CallWork, and it this: nothing large stays behind.
  clips_ = {};
  rows_ = {};
  // gRPC keeps the request, the reply and the reply's bytes until they have left.
  share_->ShrinkTo(request_.request_bytes + (error ? 0 : 2 * ReplyBytes(reply_rows)));
  request_.sink->OnEnd(error ? &*error : nullptr, report, std::move(share_));
}

}  // namespace hearwire
