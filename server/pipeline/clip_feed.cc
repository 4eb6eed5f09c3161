#include "server/pipeline/clip_feed.h"

#include <string>
#include <utility>

#include "models/configs/config.h"
#include "server/pipeline/call_errors.h"

namespace hearwire {
namespace {

absl::StatusOr<std::unique_ptr<WindowStream>> NewWindowStream(const LaneRequest& lane) {
  const WindowStreamOptions options{.mel = lane.network->info->mel, .full_batches = true};
  return lane.kind == LaneKind::kTimestamps ? WindowStream::ForTimestamps(lane.timestamp_window_samples, options)
                                            : WindowStream::ForScenes(options);
}

}  // namespace

ClipFeed::ClipFeed(const CallRequest& request, int clip, const AudioLimits& limits)
    : bad_clip_(BadClip(request, clip, "")), decoder_(request.clips[clip], limits, kSampleRateHz) {
  for (const LaneRequest& lane : request.lanes) {
    absl::StatusOr<std::unique_ptr<WindowStream>> stream = NewWindowStream(lane);
    status_.Update(stream.status());
    if (stream.ok()) streams_.push_back(*std::move(stream));
  }
  cut_ = streams_.size();
}

std::variant<ClipFeed::Progress, CallError> ClipFeed::Step(LaneWindows* windows) {
  if (!status_.ok()) return CallError{.status = status_};
  if (std::optional<CallError> error = cut_ == streams_.size() ? Decode() : Cut(windows)) return *std::move(error);
  return decoded_ && cut_ == streams_.size() ? Progress::kEnd : Progress::kMore;
}

std::optional<CallError> ClipFeed::Decode() {
  piece_.clear();
  auto step = decoder_.Step(&piece_);
  if (AudioError* error = std::get_if<AudioError>(&step)) {
    CallError bad = Bad(std::move(error->status));
    bad.field = error->field;
    if (absl::IsResourceExhausted(bad.status)) {
      bad.reason = reason::kAudioTooLong;
      bad.never_retry = true;
    }
    return bad;
  }
  samples_ += static_cast<int64_t>(piece_.size());
  for (const auto& stream : streams_) {
    if (absl::Status status = stream->Append(piece_); !status.ok()) return CallError{.status = std::move(status)};
  }
  decoded_ = std::get<ClipDecoder::Progress>(step) == ClipDecoder::Progress::kEnd;
  if (decoded_) {
    // Before any lane has its last windows: a clip that is too short for one of them has none.
    for (const auto& stream : streams_) {
      if (absl::Status status = stream->Finish(); !status.ok()) return Bad(std::move(status));
    }
  }
  cut_ = 0;
  return std::nullopt;
}

std::optional<CallError> ClipFeed::Cut(LaneWindows* windows) {
  const absl::StatusOr<WindowStream::Progress> progress = streams_[cut_]->Step(&(*windows)[cut_]);
  if (!progress.ok()) return Bad(progress.status());
  if (*progress != WindowStream::Progress::kMore) ++cut_;
  return std::nullopt;
}

CallError ClipFeed::Bad(absl::Status status) const {
  CallError bad = bad_clip_;
  bad.status = std::move(status);
  return bad;
}

}  // namespace hearwire
