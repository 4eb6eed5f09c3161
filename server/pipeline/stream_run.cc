#include "server/pipeline/stream_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/pipeline/call_errors.h"
#include "server/pipeline/clip_size.h"

namespace hearwire {
namespace {

CallRequest TakeCall(StreamRequest* request) {
  request->call.sink = request->sink.get();
  return std::move(request->call);
}

}  // namespace

StreamRun::StreamRun(const PipelineParts& parts, StreamRequest request, std::unique_ptr<CallerRegistry::Number> caller,
                     std::unique_ptr<Admission::Share> share, std::unique_ptr<StreamFeed> feed)
    : CallRun(parts, TakeCall(&request), std::move(caller), std::move(share), kStreamFrames),
      sink_(std::move(request.sink)),
      feed_(std::move(feed)) {}

bool StreamRun::Start() {
  std::optional<CallError> error = ReserveRoom();
  if (!error) {
    // Its windows come when they come: each is due soon by itself, and nobody is to wait for the next.
    const Reservation open_ended{.open_ended = true};
    error = EnterBatchers(std::vector<Reservation>(request_.lanes.size(), open_ended));
  }
  if (error) {
    EndWhilePreparing(*std::move(error));
    return false;
  }
  MutexLock lock(&mu_);
  Announce(false);
  return true;
}

std::optional<CallError> StreamRun::ReserveRoom() {
  int64_t bytes = OpenClipBytes();
  // The last slice begins below the credit, which is that of two, and ends above it.
  const int64_t frames = 3 * MostFramesOfSlice();
  MutexLock lock(&mu_);
  for (const CallLane& lane : lanes_) {
    const int64_t samples =
        lane.request->kind == LaneKind::kTimestamps ? lane.request->min_samples : kSceneWindowSamples + 1;
    const WindowCount count = CountWindows(*lane.request, samples);
    bytes += PreparedBytes(*lane.request, lane.row_size, frames, count.total_frames() / count.windows);
  }
  return share_->Grow(bytes) ? std::nullopt : std::optional(NoMemory());
}

// --- What the client and the sink do.

void StreamRun::AppendPiece(std::string bytes) {
  int resumed;
  {
    MutexLock lock(&mu_);
    piece_ = std::move(bytes);
    resumed = Resume();
  }
  if (resumed > 0) RunOrSchedule(0);
}

void StreamRun::EndAudio(std::optional<CallError> fault) {
  int resumed;
  {
    MutexLock lock(&mu_);
    audio_has_ended_ = true;
    audio_fault_ = std::move(fault);
    resumed = Resume();
  }
  Wake(resumed);
}

void StreamRun::Stop(CallError error) {
  int resumed;
  {
    MutexLock lock(&mu_);
    if (!stop_) stop_ = std::move(error);
    resumed = Resume();
  }
  Wake(resumed);
}

void StreamRun::OnSinkHasRoom() {
  int resumed;
  {
    MutexLock lock(&mu_);
    resumed = Resume();
  }
  Wake(resumed);
}

void StreamRun::Abandon() {
  for (const LaneRequest& lane : request_.lanes) lane.work->cancelled.store(true);
  // gRPC cancels calls whose deadline passes.
  CallRun::Finish(SteadyTime::Now() >= request_.deadline ? DeadlinePassed() : CallerGone());
}

// --- Preparation.

bool StreamRun::HasWork() const {
  if (ended_ || is_complete_) return false;
  if (stop_) return true;
  const bool has_audio = !feed_->is_waiting() || piece_ || audio_has_ended_;
  return has_audio && HasCredit() && !sink_->IsFull();
}

int StreamRun::Resume() {
  if (tasks_ > 0 || !HasWork()) return 0;
  tasks_ = 1;
  return 1;
}

void StreamRun::Wake(int resumed) {
  if (resumed > 0) Schedule(0);
}

bool StreamRun::FillFeed() {
  if (!feed_->is_waiting()) return false;
  if (piece_) {
    feed_->Append(*std::exchange(piece_, std::nullopt));
    return true;
  }
  if (!audio_has_ended_) return false;
  if (audio_fault_) {
    feed_->Fail(*std::exchange(audio_fault_, std::nullopt));
  } else {
    feed_->Finish();
  }
  return false;
}

std::optional<int64_t> StreamRun::PrepareSlice() {
  bool is_over;
  bool has_taken = false;
  {
    MutexLock lock(&mu_);
    is_over = ended_ || stop_;
    if (!is_over) has_taken = FillFeed();
  }
  if (has_taken) sink_->OnPieceTaken();

  LaneWindows windows(request_.lanes.size());
  bool has_ended = false;
  std::optional<CallError> end;    // Of the call, at once.
  std::optional<CallError> fault;  // Of the audio.
  const int64_t samples_before = feed_->samples();
  const SteadyTime start = SteadyTime::Now();
  if (!is_over) {
    end = WhyStop();
    if (!end) fault = ContainCall([&] { return Prepare(&windows, &has_ended); });
  }

  bool go_on = false;
  {
    MutexLock lock(&mu_);
    if (!ended_ && !end) {
      Account(feed_->samples() - samples_before, SteadyTime::Now() - start);
      if (!fault) fault = stop_;
      end = fault || has_ended ? Complete(std::move(fault), std::move(windows)) : Append(0, false, std::move(windows));
    }
    go_on = !end && HasWork();
    if (!go_on) {
      tasks_ = 0;
      Announce(false);
    }
  }
  if (end) {
    EndWhilePreparing(*std::move(end));
  }
  return go_on ? std::optional(feed_->samples_left()) : std::nullopt;
}

std::optional<CallError> StreamRun::Prepare(LaneWindows* windows, bool* has_ended) {
  const SteadyTime end = SteadyTime::Now() + PreparationPool::kSliceTime;
  do {
    auto step = feed_->Step(windows);
    if (CallError* error = std::get_if<CallError>(&step)) return std::move(*error);
    const StreamFeed::Progress progress = std::get<StreamFeed::Progress>(step);
    *has_ended = progress == StreamFeed::Progress::kEnd;
    if (progress != StreamFeed::Progress::kMore) break;
  } while (FramesOf(*windows) < MostFramesOfSlice() && SteadyTime::Now() < end);
  return std::nullopt;
}

std::optional<CallError> StreamRun::Complete(std::optional<CallError> error, LaneWindows windows) {
  is_complete_ = true;
  if (error && stop_) {
    int64_t rows = 0;
    for (size_t i = 0; i < lanes_.size(); ++i) {
      if (request_.lanes[i].kind != LaneKind::kTimestamps) continue;
      rows = lanes_[i].windows + static_cast<int64_t>(windows[i].windows.size());
    }
    error->facts.emplace_back("resume_sample", absl::StrCat(feed_->resume_sample()));
    error->facts.emplace_back("timestamp_rows", absl::StrCat(rows));
  }
  last_word_ = std::move(error);
  Announce(true);  // That ends with the last windows.
  return Append(0, true, std::move(windows));
}

}  // namespace hearwire
