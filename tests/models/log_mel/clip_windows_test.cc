#include "models/log_mel/clip_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "models/log_mel/window_grid.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

std::vector<float> Noise(int64_t samples) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
  std::vector<float> clip(samples);
  for (float& sample : clip) sample = uniform(random);
  return clip;
}

// A window's frames, one after the other.
std::vector<float> FramesOf(const Window& window) {
  std::vector<float> frames;
  for (const Window::Run& run : window.runs) {
    frames.insert(frames.end(), run.frames, run.frames + run.frame_count * window.mels);
  }
  return frames;
}

std::vector<float> Pad(const std::vector<float>& clip, int64_t padding) {
  std::vector<float> padded(clip.rend() - padding - 1, clip.rend() - 1);
  padded.insert(padded.end(), clip.begin(), clip.end());
  padded.insert(padded.end(), clip.rbegin() + 1, clip.rbegin() + 1 + padding);
  return padded;
}

// Each window computed alone, as the scene that its samples make.
void ExpectEqualToScenesOfTheirOwn(const ClipWindows& windows, const std::vector<float>& padded, int64_t window_samples,
                                   int64_t hop, const MelSettings& mel) {
  for (size_t i = 0; i < windows.windows.size(); ++i) {
    const absl::Span<const float> samples =
        absl::MakeConstSpan(padded).subspan(i * hop, static_cast<size_t>(window_samples));
    const absl::StatusOr<ClipWindows> alone = MakeSceneWindows(samples, mel);
    ASSERT_TRUE(alone.ok()) << alone.status();
    ASSERT_EQ(FramesOf(windows.windows[i]), FramesOf(alone->windows[0]))
        << "window " << i << ", frames every " << mel.hop_samples;
  }
}

TEST(ClipWindowsTest, CountsScenes) {
  const MelSettings mel;
  EXPECT_EQ(CountSceneWindows(514, mel).windows, 1);
  EXPECT_EQ(CountSceneWindows(514, mel).frames_per_window, 2);
  EXPECT_EQ(CountSceneWindows(320000, mel).windows, 1);
  EXPECT_EQ(CountSceneWindows(320000, mel).frames_per_window, 1000);
  EXPECT_EQ(CountSceneWindows(320001, mel).windows, 5);
  EXPECT_EQ(CountSceneWindows(400000, mel).windows, 6);
  EXPECT_EQ(CountSceneWindows(320000, {.hop_samples = 800}).frames_per_window, 400);
}

TEST(ClipWindowsTest, CountsTimestamps) {
  EXPECT_EQ(CountTimestampWindows(320000, 5120, {}).windows, 201);
  EXPECT_EQ(CountTimestampWindows(320000, 5120, {}).frames_per_window, 16);
  EXPECT_EQ(CountTimestampWindows(320000, 5120, {}).total_frames(), 3216);
  EXPECT_EQ(CountTimestampWindows(41601, 40960, {}).windows, 27);
  EXPECT_EQ(CountTimestampWindows(2561, 5120, {}).windows, 2);
}

TEST(ClipWindowsTest, MakesAsManyAsItCounts) {
  for (const int hop : {160, 320, 480, 640, 800}) {
    const MelSettings mel{.n_mels = 40, .hop_samples = hop};
    for (const int64_t samples : {514, 5000, 320000, 320001}) {
      const WindowCount count = CountSceneWindows(samples, mel);
      const absl::StatusOr<ClipWindows> windows = MakeSceneWindows(Noise(samples), mel);
      ASSERT_TRUE(windows.ok()) << windows.status();
      ASSERT_EQ(windows->windows.size(), count.windows);
      for (const Window& window : windows->windows) EXPECT_EQ(window.frame_count(), count.frames_per_window);
    }
    for (const int64_t samples : {2561, 4801, 12345}) {
      const WindowCount count = CountTimestampWindows(samples, 5120, mel);
      const absl::StatusOr<ClipWindows> windows = MakeTimestampWindows(Noise(samples), 5120, mel);
      ASSERT_TRUE(windows.ok()) << windows.status();
      ASSERT_EQ(windows->windows.size(), count.windows);
      for (const Window& window : windows->windows) {
        EXPECT_EQ(window.frame_count(), count.frames_per_window);
        EXPECT_EQ(window.mels, 40);
      }
    }
  }
}

TEST(ClipWindowsTest, SharingFramesChangesNoBitOfTimestamps) {
  const std::vector<float> clip = Noise(30001);
  for (const int hop : {160, 320, 480, 640, 800}) {
    for (const int window : {5120, 20480, 40960}) {
      const MelSettings mel{.n_mels = 64, .hop_samples = hop};
      const absl::StatusOr<ClipWindows> windows = MakeTimestampWindows(clip, window, mel);
      ASSERT_TRUE(windows.ok()) << windows.status();
      ExpectEqualToScenesOfTheirOwn(*windows, Pad(clip, window / 2), window, 1600, mel);
    }
  }
}

TEST(ClipWindowsTest, SharingFramesChangesNoBitOfLongScenes) {
  const std::vector<float> clip = Noise(350000);
  for (const int hop : {160, 320, 480, 640, 800}) {
    const MelSettings mel{.n_mels = 40, .hop_samples = hop};
    const absl::StatusOr<ClipWindows> windows = MakeSceneWindows(clip, mel);
    ASSERT_TRUE(windows.ok()) << windows.status();
    ExpectEqualToScenesOfTheirOwn(*windows, Pad(clip, 160000), 320000, 80000, mel);
  }
}

TEST(ClipWindowsTest, HoldsNoMoreThanTheFramesThatAreNeeded) {
  const absl::StatusOr<ClipWindows> windows = MakeTimestampWindows(Noise(320000), 5120, {});
  ASSERT_TRUE(windows.ok());
  EXPECT_EQ(windows->frame_bytes, (201 * 3 + 200 * 5 + 13) * 128 * 4);
  const absl::StatusOr<ClipWindows> scene = MakeSceneWindows(Noise(32000), {});
  ASSERT_TRUE(scene.ok());
  EXPECT_EQ(scene->frame_bytes, 100 * 128 * 4);
}

TEST(ClipWindowsTest, WindowsStayValidWhenMoved) {
  absl::StatusOr<ClipWindows> made = MakeTimestampWindows(Noise(5000), 5120, {});
  const std::vector<float> before = FramesOf(made->windows[1]);
  const ClipWindows moved = std::move(*made);
  EXPECT_EQ(FramesOf(moved.windows[1]), before);
}

TEST(ClipWindowsTest, RefusesClipsThatAreTooShortAndTellsTheLeast) {
  const absl::Status scene = MakeSceneWindows(Noise(513), {}).status();
  EXPECT_EQ(scene.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(scene.message()), HasSubstr("513 samples (0.01603 s); scenes need at least 514"));
  EXPECT_TRUE(MakeSceneWindows(Noise(514), {}).ok());
  for (const int window : {5120, 20480, 40960}) {
    const absl::Status timestamps = MakeTimestampWindows(Noise(window / 2), window, {}).status();
    EXPECT_EQ(timestamps.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(timestamps.message()), HasSubstr("need at least " + std::to_string(window / 2 + 1)));
    EXPECT_TRUE(MakeTimestampWindows(Noise(window / 2 + 1), window, {}).ok());
  }
  EXPECT_EQ(MakeSceneWindows({}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeTimestampWindows({}, 5120, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ClipWindowsTest, RefusesWindowsThatAreTooShort) {
  EXPECT_EQ(MakeTimestampWindows(Noise(5000), 513, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(MakeTimestampWindows(Noise(5000), 514, {}).ok());
}

TEST(ClipWindowsTest, TakesSilence) {
  const absl::StatusOr<ClipWindows> windows = MakeTimestampWindows(std::vector<float>(32000), 5120, {});
  ASSERT_TRUE(windows.ok()) << windows.status();
  for (const Window& window : windows->windows) {
    for (const float value : FramesOf(window)) ASSERT_NEAR(value, (std::log(1e-5) + 4.5) / 5, 1e-6);
  }
}

TEST(ClipWindowsTest, TakesValuesBeyondFullScale) {
  std::vector<float> clip = Noise(5000);
  for (float& sample : clip) sample *= 1e6f;
  EXPECT_TRUE(MakeSceneWindows(clip, {}).ok());
}

TEST(ClipWindowsTest, RefusesValuesWhoseSpectrumOverflowsAndTellsTheLargest) {
  std::vector<float> clip = Noise(5000);
  clip[4000] = -2.5e25f;
  for (const absl::Status& status :
       {MakeSceneWindows(clip, {}).status(), MakeTimestampWindows(clip, 5120, {}).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("2.5e+25"));
  }
  clip[4000] = NAN;
  EXPECT_THAT(std::string(MakeSceneWindows(clip, {}).status().message()), HasSubstr("not finite"));
}

}  // namespace
}  // namespace hearwire
