#include "tests/models/log_mel/stream_windows.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>

namespace hearwire {

std::vector<float> Noise(int64_t samples) {
  std::mt19937 random(5);
  std::vector<float> clip(samples);
  for (float& sample : clip) sample = static_cast<float>(random()) * 0x1p-32f - 0.5f;
  return clip;
}

std::vector<float> FramesOf(const Window& window) {
  std::vector<float> frames;
  for (const Window::Run& run : window.runs) {
    frames.insert(frames.end(), run.frames, run.frames + run.frame_count * window.mels);
  }
  return frames;
}

std::unique_ptr<WindowStream> Open(const Recipe& recipe, WindowStreamOptions options) {
  options.mel = recipe.mel;
  auto stream = recipe.window_samples == 0 ? WindowStream::ForScenes(options)
                                           : WindowStream::ForTimestamps(recipe.window_samples, options);
  EXPECT_TRUE(stream.ok()) << stream.status();
  return *std::move(stream);
}

absl::StatusOr<ClipWindows> MakeWhole(const Recipe& recipe, absl::Span<const float> clip) {
  return recipe.window_samples == 0 ? MakeSceneWindows(clip, recipe.mel)
                                    : MakeTimestampWindows(clip, recipe.window_samples, recipe.mel);
}

WindowStream::Progress Drain(WindowStream& stream, std::vector<StreamWindow>* windows) {
  while (true) {
    const absl::StatusOr<WindowStream::Progress> progress = stream.Step(windows);
    EXPECT_TRUE(progress.ok()) << progress.status();
    if (!progress.ok() || *progress != WindowStream::Progress::kMore)
      return progress.value_or(WindowStream::Progress::kEnd);
  }
}

}  // namespace hearwire
