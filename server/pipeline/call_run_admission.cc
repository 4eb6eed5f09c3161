// How a call gets in: what it needs is measured and reserved before anything is decoded.

#include <algorithm>
#include <utility>

#include "server/pipeline/call_errors.h"
#include "server/pipeline/call_run.h"
#include "server/pipeline/clip_size.h"

namespace hearwire {

void CallRun::Start() {
  const KnownSize known = MeasureClips();
  if (std::optional<CallError> error = ReserveRoom(known)) return Finish(std::move(error));
  if (std::optional<CallError> error = EnterBatchers(known)) return Finish(std::move(error));
  const int tasks = std::min(clip_count_, parts_.options.threads);
  {
    MutexLock lock(&mu_);
    tasks_ = tasks;
    samples_left_ = known.samples;
  }
  for (int i = 0; i < tasks; ++i) Schedule(known.samples);
}

CallRun::KnownSize CallRun::MeasureClips() const {
  KnownSize known;
  known.lanes.resize(request_.lanes.size());
  for (int clip = 0; clip < clip_count_; ++clip) {
    const int64_t samples = LeastSamples(request_, clip, parts_.options.audio);
    known.samples += samples;
    known.complete = known.complete && std::holds_alternative<PcmAudio>(request_.clips[clip]);
    for (size_t i = 0; i < request_.lanes.size(); ++i) {
      const WindowCount count = CountWindows(request_.lanes[i], samples);
      known.lanes[i].frames += count.total_frames();
      known.lanes[i].windows += count.windows;
    }
  }
  return known;
}

std::optional<CallError> CallRun::ReserveRoom(const KnownSize& known) {
  MutexLock lock(&mu_);
  reply_bytes_ = request_.reply.fixed + clip_count_ * request_.reply.per_clip;
  if (!share_->Grow(2 * reply_bytes_)) return NoMemory();
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const Reservation& lane = known.lanes[i];
    const int64_t rows = request_.lanes[i].kind == LaneKind::kTimestamps ? lane.windows : clip_count_;
    if (std::optional<CallError> error = TakeReplyRoom(&lanes_[i], rows, !known.complete)) return error;
    const int64_t frames = known.complete ? std::min(lane.frames, credit_frames_) : credit_frames_;
    const int64_t windows = frames / (lane.frames / lane.windows) + 1;
    const int64_t frame_bytes = request_.lanes[i].network->info->mel.n_mels * static_cast<int64_t>(sizeof(float));
    const int64_t window_bytes =
        lanes_[i].row_size * static_cast<int64_t>(sizeof(float)) + static_cast<int64_t>(sizeof(WindowRequest));
    if (!share_->Grow(frames * frame_bytes + windows * window_bytes)) return NoMemory();
  }
  return std::nullopt;
}

std::optional<CallError> CallRun::TakeReplyRoom(CallLane* lane, int64_t rows, bool at_least) {
  if (rows <= lane->reply_rows) return std::nullopt;
  const int64_t more = (rows - lane->reply_rows) * lane->reply_row_bytes;
  const int64_t bytes = reply_bytes_ + more;
  if (bytes > parts_.options.max_reply_bytes) return ReplyTooLarge(bytes, parts_.options.max_reply_bytes, at_least);
  // Twice: the message, and its bytes on their way out.
  if (!share_->Grow(2 * more)) return NoMemory();
  lane->reply_rows = rows;
  reply_bytes_ = bytes;
  return std::nullopt;
}

CallError CallRun::NoMemory() const {
  return NotAdmitted(Admission::Refusal::kMemoryFull, parts_.options.max_calls, parts_.options.max_bytes_in_flight,
                     *request_.lanes.front().network->batcher);
}

std::optional<CallError> CallRun::EnterBatchers(const KnownSize& known) {
  for (size_t i = 0; i < request_.lanes.size(); ++i) {
    const LaneRequest& lane = request_.lanes[i];
    CallWork& work = *lane.work;
    work.network = lane.network->index;
    work.caller = caller_->value();
    work.deadline = request_.deadline;
    // These hold this, and this the work: the batcher lets go of them when it is done with the lane.
    work.computed = std::make_shared<const ComputedFunction>(
        [run = shared_from_this(), i](int64_t first, int64_t count) { run->OnComputed(i, first, count); });
    work.done = [run = shared_from_this(), i](const absl::Status& status, const BatchTimes& times) {
      run->OnBatched(i, status, times);
    };
    const absl::Status status = lane.network->batcher->Admit(lane.work, known.lanes[i]);
    if (!status.ok()) {
      work.computed = nullptr;
      work.done = nullptr;
      if (absl::IsCancelled(status) || absl::IsDeadlineExceeded(status)) parts_.metrics->OnCancelled("decode");
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

}  // namespace hearwire
