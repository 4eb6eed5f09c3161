// What a WindowStream holds, where it may begin, and how it fails.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "models/log_mel/clip_windows.h"
#include "models/log_mel/window_stream.h"
#include "tests/models/log_mel/stream_windows.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;
using Progress = WindowStream::Progress;

TEST(WindowStreamBoundsTest, AStepIsBounded) {
  const auto stream = Open({5120, {}});
  ASSERT_TRUE(stream->Append(Noise(320000)).ok());
  ASSERT_TRUE(stream->Finish().ok());
  int64_t steps = 0;
  int64_t most = 0;
  while (true) {
    ++steps;
    std::vector<StreamWindow> windows;
    const Progress progress = stream->Step(&windows).value();
    most = std::max(most, static_cast<int64_t>(windows.size()));
    if (progress == Progress::kEnd) break;
  }
  EXPECT_LE(most, WindowStream::kStepFrames / 8 + 1) << "3 frames of each are its own, 5 shared with later ones";
  EXPECT_EQ(steps, 1616 / WindowStream::kStepFrames + 1);
}

TEST(WindowStreamBoundsTest, MemoryDoesNotGrow) {
  struct Case {
    Recipe recipe;
    int64_t window_samples;
    int64_t waiting_samples;
    int64_t frame_bytes;
  };
  const auto frames = [](int64_t count, const MelSettings& mel) { return count * mel.n_mels * 4; };
  const MelSettings plain;
  const MelSettings cycle3{.n_mels = 128, .hop_samples = 480};
  // Samples besides the window's: of one piece, three chunks, and the windows that wait for a batch.
  const auto samples = [](int64_t window, int64_t waiting) { return 4 * (window + 3200 + 3 * 8192 + waiting); };
  for (const auto& [recipe, window, waiting, frame_bytes] :
       {Case{{514, plain}, 514, 8 * 1600, frames(2 + 4 * 64, plain)},
        Case{{5120, plain}, 5120, 8 * 1600, frames(16 + 4 * 64, plain)},
        Case{{40960, plain}, 40960, 8 * 1600, frames(128 + 4 * 64, plain)},
        Case{{5120, cycle3}, 5120, 8 * 1600, frames(3 * (11 + 2 * 64) + 2 * 64, cycle3)},
        Case{{0, plain}, 320000, 80000, frames(1000 + 2 * 200 + 2 * 64, plain)}}) {
    for (const bool full_batches : {false, true}) {
      const auto stream = Open(recipe, {.mel = {}, .full_batches = full_batches});
      const std::vector<float> piece = Noise(3200);
      std::vector<StreamWindow> windows;
      int64_t count = 0;
      for (int i = 0; i < 1200; ++i) {  // 2 minutes.
        ASSERT_TRUE(stream->Append(piece).ok());
        Drain(*stream, &windows);
        ASSERT_LE(stream->sample_bytes(), samples(window, full_batches ? waiting : 0)) << recipe.window_samples;
        count += static_cast<int64_t>(windows.size());
        windows.clear();
        ASSERT_LE(*stream->frame_bytes(), frame_bytes) << recipe.window_samples;
      }
      EXPECT_GT(count, recipe.window_samples == 0 ? 40 : 2300);
    }
  }
}

TEST(WindowStreamBoundsTest, WindowsOutliveTheStream) {
  auto stream = Open({5120, {}});
  ASSERT_TRUE(stream->Append(Noise(64000)).ok());
  std::vector<StreamWindow> windows;
  Drain(*stream, &windows);
  const std::shared_ptr<const HeldBytes> bytes = stream->frame_bytes();
  const StreamWindow kept = windows[20];
  const std::vector<float> frames = FramesOf(kept.window);
  stream.reset();
  EXPECT_GT(*bytes, 0);
  windows.clear();
  EXPECT_LE(*bytes, 3 * 64 * 128 * 4) << "its blocks alone";
  EXPECT_EQ(FramesOf(kept.window), frames);
}

TEST(WindowStreamBoundsTest, AStreamThatGoesOnGivesTheWindowsBehindItsFirstSample) {
  const std::vector<float> clip = Noise(500000);
  std::mt19937 random(3);
  for (const Recipe& recipe : {Recipe{5120, {}}, Recipe{1201, {}}, Recipe{5120, {.n_mels = 40, .hop_samples = 480}},
                               Recipe{0, {}}, Recipe{0, {.n_mels = 40, .hop_samples = 480}}}) {
    const bool is_scene = recipe.window_samples == 0;
    const WindowGrid grid = is_scene ? SceneGrid(400000, recipe.mel) : TimestampGrid(recipe.window_samples, recipe.mel);
    for (int i = 0; i < (is_scene ? 8 : 60); ++i) {
      const int64_t size = is_scene ? 480000 + random() % 20000 : 20000 + random() % 20000;
      // At a window's begin, half of the time.
      int64_t first = 1 + random() % (is_scene ? 170000 : size - 1);
      if (i % 2 == 0) first = std::max<int64_t>(1, grid.begin(first / grid.window_hop + 2));
      first = std::min(first, size);
      const absl::StatusOr<ClipWindows> whole = MakeWhole(recipe, absl::MakeConstSpan(clip).first(size));
      ASSERT_TRUE(whole.ok());
      const auto stream = Open(recipe, {.mel = {}, .first_sample = first});
      std::vector<StreamWindow> windows;
      for (int64_t at = first; at < size; at += 1000) {
        const int64_t piece = std::min<int64_t>(1000, size - at);
        ASSERT_TRUE(stream->Append(absl::MakeConstSpan(clip).subspan(at, piece)).ok());
        Drain(*stream, &windows);
      }
      ASSERT_TRUE(stream->Finish().ok());
      EXPECT_EQ(Drain(*stream, &windows), Progress::kEnd);
      EXPECT_EQ(stream->samples(), size);
      std::vector<int64_t> expected;
      for (int64_t w = 0; w < static_cast<int64_t>(whole->windows.size()); ++w) {
        const int64_t last = grid.end(w) - 1;
        const int64_t lowest = std::min(grid.begin(w), last < size ? last : 2 * (size - 1) - last);
        if (lowest >= first) expected.push_back(w);
      }
      ASSERT_EQ(windows.size(), expected.size()) << first << " of " << size;
      for (size_t w = 0; w < windows.size(); ++w) {
        ASSERT_EQ(windows[w].index, expected[w]);
        ASSERT_EQ(FramesOf(windows[w].window), FramesOf(whole->windows[expected[w]])) << first << " of " << size;
      }
    }
  }
}

TEST(WindowStreamBoundsTest, TellsWhereToGoOn) {
  const std::vector<float> clip = Noise(500000);
  std::mt19937 random(6);
  for (const Recipe& recipe : {Recipe{5120, {}}, Recipe{1201, {}}, Recipe{0, {}}}) {
    const int64_t size = recipe.window_samples == 0 ? 500000 : 40000;
    for (const bool full_batches : {false, true}) {
      for (int i = 0; i < 10; ++i) {
        const int64_t cut = random() % size;
        const auto stream = Open(recipe, {.mel = {}, .full_batches = full_batches});
        std::vector<StreamWindow> windows;
        ASSERT_TRUE(stream->Append(absl::MakeConstSpan(clip).first(cut)).ok());
        Drain(*stream, &windows);
        const int64_t first = stream->resume_sample();
        if (first == 0) windows.clear();  // It begins anew.
        const auto next = Open(recipe, {.mel = {}, .first_sample = first});
        ASSERT_TRUE(next->Append(absl::MakeConstSpan(clip).first(size).subspan(first)).ok());
        ASSERT_TRUE(next->Finish().ok());
        Drain(*next, &windows);
        const absl::StatusOr<ClipWindows> whole = MakeWhole(recipe, absl::MakeConstSpan(clip).first(size));
        ASSERT_EQ(windows.size(), whole->windows.size()) << cut;
        for (size_t w = 0; w < windows.size(); ++w) {
          ASSERT_EQ(windows[w].index, w) << cut;
          ASSERT_EQ(FramesOf(windows[w].window), FramesOf(whole->windows[w])) << cut;
        }
      }
    }
  }
}

TEST(WindowStreamBoundsTest, AWindowThatSeesTheSampleBeforeTheFirstIsLeftOut) {
  // The last window's centre is the recording's end: its reflection begins one sample before the window does.
  for (const int64_t first : {1600 * 4 - 2560 - 1, 1600 * 4 - 2560}) {
    const auto stream = Open({5120, {}}, {.mel = {}, .first_sample = first});
    ASSERT_TRUE(stream->Append(Noise(6400 - first)).ok());
    ASSERT_TRUE(stream->Finish().ok());
    std::vector<StreamWindow> windows;
    Drain(*stream, &windows);
    EXPECT_EQ(windows.size(), first == 1600 * 4 - 2560 ? 0 : 1);
  }
}

TEST(WindowStreamBoundsTest, AShortRecordingThatGoesOnHasNoSceneWindow) {
  const auto stream = Open({}, {.mel = {}, .first_sample = 1000});
  ASSERT_TRUE(stream->Append(Noise(319000)).ok());
  ASSERT_TRUE(stream->Finish().ok());
  std::vector<StreamWindow> windows;
  EXPECT_EQ(Drain(*stream, &windows), Progress::kEnd);
  EXPECT_TRUE(windows.empty());
}

TEST(WindowStreamBoundsTest, CountsTo2To62Samples) {
  // As far in front of a window's begin as the first recording's start is in front of one.
  const int64_t first = (WindowStream::kMaxSamples - 50000) / 80000 * 80000;
  const auto far = Open({5120, {}}, {.mel = {}, .first_sample = first});
  const auto near = Open({5120, {}}, {.mel = {}, .first_sample = 80000});
  const std::vector<float> clip = Noise(30000);
  std::vector<StreamWindow> far_windows;
  std::vector<StreamWindow> near_windows;
  ASSERT_TRUE(far->Append(clip).ok());
  ASSERT_TRUE(near->Append(clip).ok());
  ASSERT_TRUE(far->Finish().ok());
  ASSERT_TRUE(near->Finish().ok());
  Drain(*far, &far_windows);
  Drain(*near, &near_windows);
  ASSERT_EQ(far_windows.size(), near_windows.size());
  ASSERT_GT(far_windows.size(), 10);
  for (size_t i = 0; i < far_windows.size(); ++i) {
    EXPECT_EQ(far_windows[i].index - near_windows[i].index, (first - 80000) / 1600);
    EXPECT_EQ(FramesOf(far_windows[i].window), FramesOf(near_windows[i].window));
  }
  const auto full = Open({5120, {}}, {.mel = {}, .first_sample = WindowStream::kMaxSamples - 10});
  EXPECT_TRUE(full->Append(Noise(10)).ok());
  EXPECT_EQ(full->Append(Noise(1)).code(), absl::StatusCode::kOutOfRange);
}

TEST(WindowStreamBoundsTest, RefusesWhatMakesNoStream) {
  for (const int64_t first : {int64_t{-1}, WindowStream::kMaxSamples + 1}) {
    const WindowStreamOptions options{.mel = {}, .first_sample = first};
    EXPECT_EQ(WindowStream::ForScenes(options).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(WindowStream::ForTimestamps(5120, options).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(WindowStream::ForTimestamps(513, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(WindowStreamBoundsTest, IsTooShortAsTheWholeIs) {
  for (const Recipe& recipe : {Recipe{}, Recipe{5120, {}}}) {
    for (const int64_t samples : {0, 1, 513}) {
      const std::vector<float> clip = Noise(samples);
      const auto stream = Open(recipe);
      ASSERT_TRUE(stream->Append(clip).ok());
      std::vector<StreamWindow> windows;
      EXPECT_EQ(Drain(*stream, &windows), Progress::kWaiting);
      EXPECT_EQ(stream->Finish(), MakeWhole(recipe, clip).status());
      EXPECT_TRUE(windows.empty());
    }
  }
}

TEST(WindowStreamBoundsTest, RefusesAnOverflowAndStaysRefused) {
  std::vector<float> clip = Noise(80000);
  clip[40000] = -2.5e25f;
  for (const int window : {514, 5120}) {
    for (const bool full_batches : {false, true}) {
      const auto stream = Open({window, {}}, {.mel = {}, .full_batches = full_batches});
      std::vector<StreamWindow> windows;
      absl::Status status;
      int64_t at = 0;
      for (; status.ok() && at < 80000; at += 500) {
        ASSERT_TRUE(stream->Append(absl::MakeConstSpan(clip).subspan(at, 500)).ok());
        status = stream->Step(&windows).status();
      }
      EXPECT_EQ(status, MakeWhole({window, {}}, clip).status());
      EXPECT_THAT(std::string(status.message()), HasSubstr("2.5e+25"));
      EXPECT_LT(at, full_batches ? 53000 : 43000);
      EXPECT_GE(windows.size(), full_batches ? 15 : 22) << "those before it";
      EXPECT_EQ(stream->Step(&windows).status(), status);
    }
  }
}

TEST(WindowStreamBoundsTest, GivesTheWindowsBeforeAnOverflowHoweverItIsCut) {
  std::vector<float> clip = Noise(80000);
  clip[40000] = -2.5e25f;
  for (const int window : {514, 5120}) {
    std::vector<std::vector<StreamWindow>> answers(2);
    for (const size_t most : {size_t{80000}, size_t{100}}) {
      const auto stream = Open({window, {}});
      std::vector<StreamWindow>& windows = answers[most == 100 ? 1 : 0];
      absl::StatusOr<Progress> progress = Progress::kWaiting;
      for (size_t at = 0; progress.ok() && at < clip.size(); at += most) {
        ASSERT_TRUE(stream->Append(absl::MakeConstSpan(clip).subspan(at, most)).ok());
        do progress = stream->Step(&windows);
        while (progress.ok() && *progress == Progress::kMore);
      }
      EXPECT_FALSE(progress.ok());
    }
    EXPECT_EQ(answers[0].size(), answers[1].size()) << window;
    EXPECT_GE(answers[0].size(), 22u);
  }
}

}  // namespace
}  // namespace hearwire
