#include "server/pipeline/clip_preparation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "models/configs/config.h"

namespace hearwire {
namespace {

// As Config::min_scene_samples and Config::min_timestamp_samples say: one more than the padding by reflection needs.
int64_t MinSamples(const CallRequest& request) {
  return request.kind == CallKind::kTimestamps ? request.timestamp_window_samples / 2 + 1 : kMinSceneSamples;
}

absl::StatusOr<ClipWindows> WindowsOf(const CallRequest& request, absl::Span<const float> samples) {
  const MelSettings& mel = request.network->info->mel;
  return request.kind == CallKind::kTimestamps ? MakeTimestampWindows(samples, request.timestamp_window_samples, mel)
                                               : MakeSceneWindows(samples, mel);
}

}  // namespace

CallError BadClip(const CallRequest& request, int clip, std::string_view message) {
  const bool pcm = std::holds_alternative<PcmAudio>(request.clips[clip]);
  return {.status = absl::InvalidArgumentError(std::string(message)),
          .reason = reason::kInvalidAudio,
          .clip = clip,
          .field = pcm ? AudioField::kSamples : AudioField::kEncoded};
}

std::variant<std::vector<float>, CallError> DecodeClip(const CallRequest& request, int clip,
                                                       const AudioLimits& limits) {
  auto decoded = DecodeAudio(request.clips[clip], limits, kSampleRateHz);
  if (AudioError* error = std::get_if<AudioError>(&decoded)) {
    const bool too_long = error->status.code() == absl::StatusCode::kResourceExhausted;
    return CallError{.status = std::move(error->status),
                     .reason = too_long ? reason::kClipTooLong : reason::kInvalidAudio,
                     .never_retry = too_long,
                     .clip = clip,
                     .field = error->field};
  }
  std::vector<float>& samples = std::get<std::vector<float>>(decoded);
  if (static_cast<int64_t>(samples.size()) < MinSamples(request)) {
    // The front end says how short it is.
    const absl::StatusOr<ClipWindows> windows = WindowsOf(request, samples);
    return BadClip(request, clip, windows.ok() ? "too short" : std::string(windows.status().message()));
  }
  return std::move(samples);
}

WindowCount CountWindows(const CallRequest& request, int64_t samples) {
  const MelSettings& mel = request.network->info->mel;
  return request.kind == CallKind::kTimestamps
             ? CountTimestampWindows(samples, request.timestamp_window_samples, mel)
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
    const int64_t samples = std::max(middle * kStep, MinSamples(request));
    (CountWindows(request, samples).total_frames() <= max_frames ? fits : beyond) = middle;
  }
  return absl::Milliseconds(100) * fits;
}

}  // namespace hearwire
