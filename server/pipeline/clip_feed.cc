#include "server/pipeline/clip_feed.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "models/configs/config.h"
#include "server/pipeline/call_errors.h"

namespace hearwire {

ClipFeed::ClipFeed(const CallRequest& request, int clip, const AudioLimits& limits)
    : bad_clip_(BadClip(request, clip, "")),
      decoder_(request.clips[clip], limits, kSampleRateHz),
      cutter_(request.lanes, {.full_batches = true}) {}

std::variant<ClipFeed::Progress, CallError> ClipFeed::Step(LaneWindows* windows) {
  if (cutter_.is_waiting()) {
    if (std::optional<CallError> error = Decode()) return *std::move(error);
  } else if (absl::Status status = cutter_.Step(windows); !status.ok()) {
    return Bad(std::move(status));
  }
  return decoded_ && cutter_.is_waiting() ? Progress::kEnd : Progress::kMore;
}

std::optional<CallError> ClipFeed::Decode() {
  piece_.clear();
  auto step = decoder_.Step(&piece_);
  if (AudioError* error = std::get_if<AudioError>(&step)) {
    CallError bad = Bad(std::move(error->status));
    bad.field = error->field;
    if (absl::IsResourceExhausted(bad.status)) {
      bad.status = absl::ResourceExhaustedError(
          absl::StrCat(bad.status.message(), "; StreamEmbeddings takes audio of any length"));
      bad.reason = reason::kAudioTooLong;
      bad.never_retry = true;
    }
    return bad;
  }
  samples_ += static_cast<int64_t>(piece_.size());
  if (absl::Status status = cutter_.Append(piece_); !status.ok()) return CallError{.status = std::move(status)};
  decoded_ = std::get<ClipDecoder::Progress>(step) == ClipDecoder::Progress::kEnd;
  if (!decoded_) return std::nullopt;
  absl::Status status = cutter_.Finish();
  return status.ok() ? std::nullopt : std::optional(Bad(std::move(status)));
}

CallError ClipFeed::Bad(absl::Status status) const {
  CallError bad = bad_clip_;
  bad.status = std::move(status);
  return bad;
}

}  // namespace hearwire
