#include "models/log_mel/clip_windows.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "models/log_mel/window_grid.h"
#include "models/log_mel/window_stream.h"

namespace hearwire {
namespace {

WindowCount Count(const WindowGrid& grid, int64_t samples) {
  return {.windows = grid.window_count(samples), .frames_per_window = grid.frames_per_window()};
}

absl::StatusOr<ClipWindows> MakeWindows(absl::Span<const float> clip, const WindowGrid& grid,
                                        absl::StatusOr<std::unique_ptr<WindowStream>> stream) {
  if (!stream.ok()) return stream.status();
  if (absl::Status status = (*stream)->AppendView(clip); !status.ok()) return status;
  if (absl::Status status = (*stream)->Finish(); !status.ok()) return status;
  ClipWindows result;
  const auto count = static_cast<size_t>(grid.window_count(static_cast<int64_t>(clip.size())));
  result.windows.reserve(count);
  result.frames.reserve(count);
  std::vector<StreamWindow> ready;
  while (true) {
    const absl::StatusOr<WindowStream::Progress> progress = (*stream)->Step(&ready);
    if (!progress.ok()) return progress.status();
    for (StreamWindow& window : ready) {
      result.windows.push_back(window.window);
      result.frames.push_back(std::move(window.frames));
    }
    ready.clear();
    if (*progress == WindowStream::Progress::kEnd) break;
  }
  const std::shared_ptr<const HeldBytes> held = (*stream)->frame_bytes();
  stream->reset();
  result.frame_bytes = *held;
  return result;
}

}  // namespace

WindowCount CountSceneWindows(int64_t samples, const MelSettings& mel) {
  return Count(SceneGrid(samples, mel), samples);
}

WindowCount CountTimestampWindows(int64_t samples, int window_samples, const MelSettings& mel) {
  return Count(TimestampGrid(window_samples, mel), samples);
}

absl::StatusOr<ClipWindows> MakeSceneWindows(absl::Span<const float> clip, const MelSettings& mel) {
  return MakeWindows(clip, SceneGrid(static_cast<int64_t>(clip.size()), mel), WindowStream::ForScenes({.mel = mel}));
}

absl::StatusOr<ClipWindows> MakeTimestampWindows(absl::Span<const float> clip, int window_samples,
                                                 const MelSettings& mel) {
  return MakeWindows(clip, TimestampGrid(window_samples, mel),
                     WindowStream::ForTimestamps(window_samples, {.mel = mel}));
}

}  // namespace hearwire
