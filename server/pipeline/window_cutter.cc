#include "server/pipeline/window_cutter.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/status/statusor.h"

namespace hearwire {

int64_t FramesOf(const std::vector<StreamWindow>& windows) {
  // All windows of a clip have as many.
  return windows.empty() ? 0 : static_cast<int64_t>(windows.size()) * windows.front().window.frame_count();
}

int64_t FramesOf(const LaneWindows& lanes) {
  int64_t frames = 0;
  for (const LaneCut& lane : lanes) frames += FramesOf(lane.windows);
  return frames;
}

WindowCutter::WindowCutter(const std::vector<LaneRequest>& lanes, WindowStreamOptions options) {
  for (const LaneRequest& lane : lanes) {
    options.mel = lane.network->info->mel;
    absl::StatusOr<std::unique_ptr<WindowStream>> stream =
        lane.kind == LaneKind::kTimestamps ? WindowStream::ForTimestamps(lane.timestamp_window_samples, options)
                                           : WindowStream::ForScenes(options);
    status_.Update(stream.status());
    if (stream.ok()) streams_.push_back(*std::move(stream));
  }
  lane_ = streams_.size();
}

absl::Status WindowCutter::Append(absl::Span<const float> samples) {
  if (!status_.ok()) return status_;
  for (const auto& stream : streams_) {
    if (absl::Status status = stream->Append(samples); !status.ok()) return status;
  }
  lane_ = 0;
  return absl::OkStatus();
}

absl::Status WindowCutter::Finish() {
  if (!status_.ok()) return status_;
  for (const auto& stream : streams_) {
    if (absl::Status status = stream->Finish(); !status.ok()) return status;
  }
  lane_ = 0;
  return absl::OkStatus();
}

absl::Status WindowCutter::Step(LaneWindows* windows) {
  LaneCut& lane = (*windows)[lane_];
  const absl::StatusOr<WindowStream::Progress> progress = streams_[lane_]->Step(&lane.windows);
  if (progress.ok() && *progress == WindowStream::Progress::kEnd) lane.has_ended = true;
  status_.Update(progress.status());
  if (!progress.ok() || *progress != WindowStream::Progress::kMore) ++lane_;
  return is_waiting() ? status_ : absl::OkStatus();
}

int64_t WindowCutter::resume_sample() const {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const auto& stream : streams_) least = std::min(least, stream->resume_sample());
  return least;
}

}  // namespace hearwire
