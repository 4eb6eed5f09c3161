#include "server/pipeline/clip_feed.h"

#include <string>
#include <utility>

#include "models/configs/config.h"
#include "server/pipeline/call_errors.h"

namespace hearwire {
namespace {

absl::StatusOr<std::unique_ptr<WindowStream>> NewWindowStream(const CallRequest& request) {
  const WindowStreamOptions options{.mel = request.network->info->mel, .full_batches = true};
  return request.kind == CallKind::kTimestamps ? WindowStream::ForTimestamps(request.timestamp_window_samples, options)
                                               : WindowStream::ForScenes(options);
}

}  // namespace

ClipFeed::ClipFeed(const CallRequest& request, int clip, const AudioLimits& limits)
    : bad_clip_(BadClip(request, clip, "")),
      decoder_(request.clips[clip], limits, kSampleRateHz),
      windows_(NewWindowStream(request)) {}

std::variant<ClipFeed::Progress, CallError> ClipFeed::Step(std::vector<StreamWindow>* windows) {
  if (!windows_.ok()) return CallError{.status = windows_.status()};
  return waiting_ ? Decode() : Cut(windows);
}

std::variant<ClipFeed::Progress, CallError> ClipFeed::Decode() {
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
  if (absl::Status status = (*windows_)->Append(piece_); !status.ok()) return CallError{.status = std::move(status)};
  if (std::get<ClipDecoder::Progress>(step) == ClipDecoder::Progress::kEnd) {
    if (absl::Status status = (*windows_)->Finish(); !status.ok()) return Bad(std::move(status));
  }
  waiting_ = false;
  return Progress::kMore;
}

std::variant<ClipFeed::Progress, CallError> ClipFeed::Cut(std::vector<StreamWindow>* windows) {
  const absl::StatusOr<WindowStream::Progress> progress = (*windows_)->Step(windows);
  if (!progress.ok()) {
    return Bad(progress.status());
  }
  if (*progress == WindowStream::Progress::kEnd) return Progress::kEnd;
  waiting_ = *progress == WindowStream::Progress::kWaiting;
  return Progress::kMore;
}

CallError ClipFeed::Bad(absl::Status status) const {
  CallError bad = bad_clip_;
  bad.status = std::move(status);
  return bad;
}

}  // namespace hearwire
