#include "models/log_mel/clip_windows.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/log_mel/frame_plan.h"
#include "models/log_mel/log_mel_frames.h"
#include "models/log_mel/mel_bank.h"
#include "models/log_mel/padded_clip.h"

namespace hearwire {
namespace {

// Where a clip's windows lie in the clip padded by `padding` samples of reflection on both sides.
struct WindowLayout {
  int64_t padding = 0;
  WindowGrid grid;
};

WindowLayout LayOutScene(int64_t samples, const MelSettings& mel) {
  if (samples <= kSceneWindowSamples) {
    return {.grid = {.windows = 1, .window_samples = samples, .window_hop = samples, .frame_hop = mel.hop_samples}};
  }
  return {.padding = kSceneWindowSamples / 2,
          .grid = {.windows = samples / kSceneHopSamples + 1,
                   .window_samples = kSceneWindowSamples,
                   .window_hop = kSceneHopSamples,
                   .frame_hop = mel.hop_samples}};
}

WindowLayout LayOutTimestamps(int64_t samples, int window_samples, const MelSettings& mel) {
  const int64_t padding = window_samples / 2;
  return {.padding = padding,
          .grid = {.windows = (samples + 2 * padding - window_samples) / kTimestampHopSamples + 1,
                   .window_samples = window_samples,
                   .window_hop = kTimestampHopSamples,
                   .frame_hop = mel.hop_samples}};
}

WindowCount Count(const WindowLayout& layout) {
  return {.windows = layout.grid.windows, .frames_per_window = layout.grid.frames_per_window()};
}

absl::Status CheckLength(int64_t samples, int64_t least, const char* kind) {
  if (samples >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("the clip is too short: %d samples (%.4g s); %s need at least %d (%.4g s at %d Hz)", samples,
                      static_cast<double>(samples) / kSampleRateHz, kind, least,
                      static_cast<double>(least) / kSampleRateHz, kSampleRateHz));
}

absl::Status OverflowError(absl::Span<const float> clip) {
  float largest = 0;
  for (const float sample : clip) {
    if (!std::isfinite(sample)) return absl::InvalidArgumentError("the clip holds a sample that is not finite");
    largest = std::max(largest, std::abs(sample));
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "the spectrogram overflows: the largest sample is %.4g; full scale is 1", static_cast<double>(largest)));
}

absl::StatusOr<ClipWindows> MakeWindows(absl::Span<const float> clip, const MelSettings& mel,
                                        const WindowLayout& layout) {
  const FramePlan plan = PlanFrames(layout.grid);
  const PaddedClip padded(clip, layout.padding);
  const size_t mels = static_cast<size_t>(mel.n_mels);

  ClipWindows result;
  result.frames.resize(plan.jobs.size() * mels);
  LogMelFrames kernel(GetMelBank(mel.n_mels));
  for (size_t first = 0; first < plan.jobs.size(); first += LogMelFrames::kMaxFrames) {
    const int count = static_cast<int>(std::min<size_t>(LogMelFrames::kMaxFrames, plan.jobs.size() - first));
    for (int i = 0; i < count; ++i) padded.CopyFrame(plan.jobs[first + static_cast<size_t>(i)], kernel.samples(i));
    if (!kernel.Compute(count, result.frames.data() + first * mels)) return OverflowError(clip);
  }

  result.windows.resize(plan.windows.size());
  for (size_t i = 0; i < plan.windows.size(); ++i) {
    result.windows[i].mels = mel.n_mels;
    for (size_t r = 0; r < plan.windows[i].size(); ++r) {
      const FramePlan::Run& run = plan.windows[i][r];
      if (run.job_count == 0) continue;
      result.windows[i].runs[r] = {.frames = result.frames.data() + static_cast<size_t>(run.first_job) * mels,
                                   .frame_count = run.job_count};
    }
  }
  return result;
}

}  // namespace

WindowCount CountSceneWindows(int64_t samples, const MelSettings& mel) { return Count(LayOutScene(samples, mel)); }

WindowCount CountTimestampWindows(int64_t samples, int window_samples, const MelSettings& mel) {
  return Count(LayOutTimestamps(samples, window_samples, mel));
}

absl::StatusOr<ClipWindows> MakeSceneWindows(absl::Span<const float> clip, const MelSettings& mel) {
  const int64_t samples = static_cast<int64_t>(clip.size());
  if (absl::Status status = CheckLength(samples, kMinWindowSamples, "scenes"); !status.ok()) return status;
  return MakeWindows(clip, mel, LayOutScene(samples, mel));
}

absl::StatusOr<ClipWindows> MakeTimestampWindows(absl::Span<const float> clip, int window_samples,
                                                 const MelSettings& mel) {
  if (window_samples < kMinWindowSamples) {
    return absl::InvalidArgumentError(
        absl::StrCat("a window of ", window_samples, " samples is too short: at least ", kMinWindowSamples));
  }
  const int64_t samples = static_cast<int64_t>(clip.size());
  if (absl::Status status = CheckLength(samples, window_samples / 2 + 1, "timestamps"); !status.ok()) return status;
  return MakeWindows(clip, mel, LayOutTimestamps(samples, window_samples, mel));
}

}  // namespace hearwire
