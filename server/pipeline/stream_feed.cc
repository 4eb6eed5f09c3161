#include "server/pipeline/stream_feed.h"

#include <algorithm>
#include <utility>

#include "models/configs/config.h"
#include "server/audio/clip_decoder.h"
#include "server/pipeline/call_errors.h"

namespace hearwire {
namespace {

CallError Bad(AudioError error) {
  return {.status = std::move(error.status), .reason = reason::kInvalidAudio, .field = error.field};
}

CallError BadSamples(absl::Status status) { return Bad({std::move(status), AudioField::kSamples}); }

}  // namespace

std::variant<std::unique_ptr<StreamFeed>, CallError> StreamFeed::Create(const StreamRequest& request,
                                                                        const AudioLimits& limits) {
  auto pcm = PcmStream::Create(request.format, limits, request.first_sample, kSampleRateHz);
  if (AudioError* error = std::get_if<AudioError>(&pcm)) return Bad(std::move(*error));
  return std::unique_ptr<StreamFeed>(new StreamFeed(request, std::move(std::get<0>(pcm))));
}

StreamFeed::StreamFeed(const StreamRequest& request, std::unique_ptr<PcmStream> pcm)
    : sample_rate_hz_(request.format.sample_rate_hz),
      pcm_(std::move(pcm)),
      cutter_(request.call.lanes, {.first_sample = pcm_->first_mono_sample()}) {}

void StreamFeed::Append(std::string bytes) {
  bytes_ = std::move(bytes);
  bytes_taken_ = 0;
}

std::variant<StreamFeed::Progress, CallError> StreamFeed::Step(LaneWindows* windows) {
  if (!cutter_.is_waiting()) {
    if (absl::Status status = cutter_.Step(windows); !status.ok()) return BadSamples(std::move(status));
  } else if (!has_ended_ && !fault_) {
    if (is_waiting()) return Progress::kWaiting;
    if (std::optional<CallError> error = Decode()) return *std::move(error);
  }
  if (fault_ && cutter_.is_waiting()) return *fault_;
  if (is_waiting()) return Progress::kWaiting;
  return has_ended_ && cutter_.is_waiting() ? Progress::kEnd : Progress::kMore;
}

std::optional<CallError> StreamFeed::Decode() {
  piece_.clear();
  std::optional<AudioError> error;
  const bool at_end = bytes_left().empty();
  if (at_end) {
    error = pcm_->Finish(&piece_);
  } else {
    const std::string_view step = bytes_left().substr(0, static_cast<size_t>(pcm_->step_bytes()));
    bytes_taken_ += step.size();
    error = pcm_->Append(step, &piece_);
  }
  if (error) fault_ = Bad(*std::move(error));
  samples_ += static_cast<int64_t>(piece_.size());
  absl::Status status = cutter_.Append(piece_);
  if (status.ok() && at_end && !fault_) {
    has_ended_ = true;
    status = cutter_.Finish();
  }
  return status.ok() ? std::nullopt : std::optional(BadSamples(std::move(status)));
}

int64_t StreamFeed::samples_left() const {
  const int64_t steps = static_cast<int64_t>(bytes_left().size()) / std::max<int64_t>(pcm_->step_bytes(), 1) + 1;
  return steps * ClipDecoder::kStepSamples;
}

int64_t StreamFeed::resume_sample() const {
  return PcmStream::ResumeSample(cutter_.resume_sample(), sample_rate_hz_, kSampleRateHz);
}

}  // namespace hearwire
