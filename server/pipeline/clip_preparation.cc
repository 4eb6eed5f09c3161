#include "server/pipeline/clip_preparation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "models/configs/config.h"
#include "server/pipeline/call_errors.h"

namespace hearwire {
namespace {

absl::StatusOr<ClipWindows> WindowsOf(const CallRequest& request, absl::Span<const float> samples) {
  const MelSettings& mel = request.network->info->mel;
  return request.kind == CallKind::kTimestamps ? MakeTimestampWindows(samples, request.timestamp_window_samples, mel)
                                               : MakeSceneWindows(samples, mel);
}

}  // namespace

std::variant<std::vector<float>, CallError> DecodeClip(const CallRequest& request, int clip, const AudioLimits& limits,
                                                       const std::function<bool()>& is_cancelled,
                                                       const std::function<bool(int64_t)>& take_room) {
  auto decoded = DecodeAudio(request.clips[clip], limits, kSampleRateHz, is_cancelled, take_room);
  if (AudioError* error = std::get_if<AudioError>(&decoded)) {
    if (absl::IsCancelled(error->status)) return CallError{.status = error->status, .reason = reason::kCancelled};
    const bool too_long = absl::IsResourceExhausted(error->status);
    return CallError{.status = std::move(error->status),
                     .reason = too_long ? reason::kAudioTooLong : reason::kInvalidAudio,
                     .never_retry = too_long,
                     .clip = clip,
                     .field = error->field};
  }
  std::vector<float>& samples = std::get<std::vector<float>>(decoded);
  if (static_cast<int64_t>(samples.size()) < request.min_samples) {
    // The front end says how short it is.
    const absl::StatusOr<ClipWindows> windows = WindowsOf(request, samples);
    return BadClip(request, clip, windows.ok() ? "too short" : std::string(windows.status().message()));
  }
  return std::move(samples);
}

int64_t LeastSamples(const CallRequest& request, int clip, const AudioLimits& limits) {
  // Shorter ones are refused.
  return std::max(CountDecodedSamples(request.clips[clip], limits, kSampleRateHz), request.min_samples);
}

WindowCount CountWindows(const CallRequest& request, int64_t samples) {
  const MelSettings& mel = request.network->info->mel;
  return request.kind == CallKind::kTimestamps ? CountTimestampWindows(samples, request.timestamp_window_samples, mel)
                                               : CountSceneWindows(samples, mel);
}

std::variant<ClipWindows, CallError> MakeWindows(const CallRequest& request, int clip,
                                                 absl::Span<const float> samples) {
  absl::StatusOr<ClipWindows> windows = WindowsOf(request, samples);
  if (windows.ok()) return *std::move(windows);
  if (windows.status().code() == absl::StatusCode::kInvalidArgument) {
    return BadClip(request, clip, std::string(windows.status().message()));
  }
  return CallError{.status = windows.status()};
}

absl::Duration LongestClip(const CallRequest& request, int64_t max_frames, absl::Duration limit) {
  constexpr int64_t kStep = kSampleRateHz / 10;
  // Frames do not fall as a clip grows, so the last length that fits can be found by halving.
  int64_t fits = 0;
  int64_t beyond = limit / absl::Milliseconds(100) + 1;
  while (beyond - fits > 1) {
    const int64_t middle = fits + (beyond - fits) / 2;
    const int64_t samples = std::max(middle * kStep, request.min_samples);
    (CountWindows(request, samples).total_frames() <= max_frames ? fits : beyond) = middle;
  }
  return absl::Milliseconds(100) * fits;
}

}  // namespace hearwire
