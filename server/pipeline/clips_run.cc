#include "server/pipeline/clips_run.h"

#include <algorithm>
#include <utility>

#include "server/pipeline/call_errors.h"

namespace hearwire {

ClipsRun::ClipsRun(const PipelineParts& parts, CallRequest request, std::unique_ptr<CallerRegistry::Number> caller,
                   std::unique_ptr<Admission::Share> share)
    : CallRun(parts, std::move(request), std::move(caller), std::move(share), kAllCredit),
      clip_count_(static_cast<int>(request_.clips.size())) {}

std::optional<int64_t> ClipsRun::PrepareSlice() {
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
    if (!error) error = ContainCall([&] { return Prepare(clip.get(), &windows, &clip_ended); });
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
      Account(samples, spent);
      const int index = clip->index;
      if (clip_ended || error) {
        CloseClip();
      } else {
        waiting_clips_.push_back(std::move(clip));
      }
      // After a fault, clips are prepared only to look for an earlier one.
      if (!error && !error_) error = HandOn(index, clip_ended, std::move(windows));
      if (error) NoteFault(index, *std::move(error));
    }
    go_on = GoOn();
    if (!go_on && tasks_ == 0 && !ended_) end = error_;
    samples_left = samples_left_;
  }
  if (go_on) return samples_left;
  if (!end) return std::nullopt;
  EndWhilePreparing(*std::move(end));
  return std::nullopt;
}

std::unique_ptr<ClipsRun::OpenClip> ClipsRun::TakeClip() {
  const auto first = std::min_element(waiting_clips_.begin(), waiting_clips_.end(),
                                      [](const auto& a, const auto& b) { return a->index < b->index; });
  if (first != waiting_clips_.end() && !(error_ && (*first)->index > failed_clip_)) {
    std::unique_ptr<OpenClip> clip = std::move(*first);
    waiting_clips_.erase(first);
    return clip;
  }
  if (error_ || next_clip_ == clip_count_) return nullptr;
  if (!share_->Grow(OpenClipBytes())) {
    NoteFault(next_clip_, NoMemory());
    return nullptr;
  }
  const int index = next_clip_;
  std::unique_ptr<OpenClip> clip;
  const absl::Status opened =
      Contain([&] { clip = std::make_unique<OpenClip>(request_, index, parts_.options.audio); });
  if (!opened.ok()) {
    share_->Shrink(OpenClipBytes());
    NoteFault(index, FromContained(opened));
    return nullptr;
  }
  ++open_clips_;
  ++next_clip_;
  return clip;
}

void ClipsRun::CloseClip() {
  --open_clips_;
  share_->Shrink(OpenClipBytes());
}

std::optional<CallError> ClipsRun::Prepare(OpenClip* clip, LaneWindows* windows, bool* ended) const {
  const SteadyTime end = SteadyTime::Now() + PreparationPool::kSliceTime;
  do {
    auto step = clip->feed.Step(windows);
    if (CallError* error = std::get_if<CallError>(&step)) return std::move(*error);
    *ended = std::get<ClipFeed::Progress>(step) == ClipFeed::Progress::kEnd;
  } while (!*ended && FramesOf(*windows) < MostFramesOfSlice() && SteadyTime::Now() < end);
  return std::nullopt;
}

std::optional<CallError> ClipsRun::HandOn(int clip, bool ended, LaneWindows windows) {
  const bool complete = ended && open_clips_ == 0 && next_clip_ == clip_count_;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (request_.lanes[i].kind != LaneKind::kTimestamps) continue;
    const int64_t rows = lanes_[i].windows + static_cast<int64_t>(windows[i].windows.size());
    if (std::optional<CallError> error = TakeReplyRoom(i, rows, !complete)) return error;
  }
  return Append(clip, complete, std::move(windows));
}

void ClipsRun::NoteFault(int clip, CallError error) {
  if (error_ && failed_clip_ <= clip) return;
  error_ = std::move(error);
  failed_clip_ = clip;
}

bool ClipsRun::GoOn() {
  const int failed_clip = failed_clip_;
  const bool has_clip = !ended_ && (error_ ? std::any_of(waiting_clips_.begin(), waiting_clips_.end(),
                                                         [&](const auto& clip) { return clip->index < failed_clip; })
                                           : !waiting_clips_.empty() || next_clip_ < clip_count_);
  if (has_clip && (error_ || HasCredit())) return true;
  --tasks_;
  if (has_clip) ++paused_tasks_;
  if (tasks_ == 0) Announce(false);
  return false;
}

int ClipsRun::Resume() {
  if (error_) return 0;
  const int resumed = std::exchange(paused_tasks_, 0);
  tasks_ += resumed;
  if (resumed > 0) Announce(true);
  return resumed;
}

}  // namespace hearwire
