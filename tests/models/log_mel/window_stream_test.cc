#include "models/log_mel/window_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "models/log_mel/clip_windows.h"
#include "models/log_mel/mel_bank.h"
#include "tests/models/log_mel/stream_windows.h"

namespace hearwire {
namespace {

using Progress = WindowStream::Progress;

// Each frame of each window, computed from the definition of padding, pre-emphasis and reflection.
std::vector<std::vector<float>> Definition(const Recipe& recipe, const std::vector<float>& clip) {
  const auto size = static_cast<int64_t>(clip.size());
  const WindowGrid grid =
      recipe.window_samples == 0 ? SceneGrid(size, recipe.mel) : TimestampGrid(recipe.window_samples, recipe.mel);
  std::vector<float> padded;
  for (int64_t i = -grid.padding; i < size + grid.padding; ++i) {
    const int64_t index = std::abs(i);
    padded.push_back(clip[index < size ? index : 2 * (size - 1) - index]);
  }
  LogMelFrames kernel(GetMelBank(recipe.mel.n_mels));
  std::vector<std::vector<float>> windows;
  for (int64_t begin = 0; begin + grid.window_samples <= static_cast<int64_t>(padded.size());
       begin += grid.window_hop) {
    const int64_t inside = grid.window_samples - 1;
    std::vector<float>& rows = windows.emplace_back(grid.frames_per_window() * recipe.mel.n_mels);
    std::vector<float*> batch;
    for (int64_t frame = 0; frame < grid.frames_per_window(); ++frame) {
      float* const samples = kernel.samples(static_cast<int>(batch.size()));
      for (int64_t i = 0; i < kFrameSamples; ++i) {
        int64_t place = std::abs(frame * grid.frame_hop - kFrameSamples / 2 + i);
        if (place >= inside) place = 2 * (inside - 1) - place;
        samples[i] = padded[begin + place + 1] - 0.97f * padded[begin + place];
      }
      batch.push_back(rows.data() + frame * recipe.mel.n_mels);
      if (batch.size() < LogMelFrames::kMaxFrames && frame + 1 < grid.frames_per_window()) continue;
      EXPECT_TRUE(kernel.Compute(batch));
      batch.clear();
    }
  }
  return windows;
}

// Of every config, and windows of an odd and of the least length.
std::vector<Recipe> Recipes() {
  std::vector<Recipe> recipes;
  for (const NetworkInfo& network : Networks()) {
    const auto has_mel = [&](const Recipe& recipe) { return recipe.mel == network.mel; };
    if (std::any_of(recipes.begin(), recipes.end(), has_mel)) continue;
    for (const int window : {0, 514, 1201, 5120, 20480, 40960}) recipes.push_back({window, network.mel});
  }
  return recipes;
}

TEST(WindowStreamTest, KnowsEveryConfigsWindow) {
  for (const Config& config : Configs()) {
    const auto is_tested = [&](const Recipe& recipe) {
      return recipe.mel == config.network->mel && recipe.window_samples == config.timestamp_window_samples;
    };
    const std::vector<Recipe> recipes = Recipes();
    EXPECT_TRUE(std::any_of(recipes.begin(), recipes.end(), is_tested)) << config.name;
  }
}

TEST(WindowStreamTest, WholeClipsAreAsDefined) {
  for (const Recipe& recipe : Recipes()) {
    const int64_t least = recipe.window_samples == 0 ? 514 : recipe.window_samples / 2 + 1;
    for (const int64_t more : {0, 1, 4000, recipe.window_samples == 0 ? 400000 : 9001}) {
      const std::vector<float> clip = Noise(least + more);
      const absl::StatusOr<ClipWindows> whole = MakeWhole(recipe, clip);
      ASSERT_TRUE(whole.ok()) << whole.status();
      const std::vector<std::vector<float>> expected = Definition(recipe, clip);
      ASSERT_EQ(whole->windows.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(FramesOf(whole->windows[i]), expected[i])
            << i << ", window " << recipe.window_samples << ", hop " << recipe.mel.hop_samples;
      }
    }
  }
}

TEST(WindowStreamTest, MakesTheWindowsOfTheWholeHoweverItIsCut) {
  std::mt19937 random(1);
  const std::vector<Recipe> recipes = Recipes();
  const std::vector<float> sound = Noise(500000);
  constexpr int kCases = 1000;
  for (int i = 0; i < kCases; ++i) {
    const Recipe& recipe = recipes[random() % recipes.size()];
    const int64_t least = recipe.window_samples == 0 ? 514 : recipe.window_samples / 2 + 1;
    // Scenes of more than 10 s, a third of the time.
    const bool is_long = recipe.window_samples == 0 && random() % 3 == 0;
    const int64_t size = is_long ? 320001 + random() % 170000 : least + random() % (random() % 2 == 0 ? 3000 : 40000);
    const absl::Span<const float> clip = absl::MakeConstSpan(sound).subspan(random() % 10000, size);
    const absl::StatusOr<ClipWindows> whole = MakeWhole(recipe, clip);
    ASSERT_TRUE(whole.ok()) << whole.status();

    const auto stream = Open(recipe, {.mel = {}, .full_batches = random() % 2 == 0});
    std::vector<StreamWindow> windows;
    const uint32_t most = 1 + (is_long ? 50000 : random() % 2 == 0 ? 700 : 20000);
    for (absl::Span<const float> rest = clip; !rest.empty();) {
      const size_t piece = std::min<size_t>(rest.size(), random() % most);
      ASSERT_TRUE(stream->Append(rest.first(piece)).ok());
      rest.remove_prefix(piece);
      if (random() % 4 == 0) continue;
      ASSERT_EQ(Drain(*stream, &windows), Progress::kWaiting);
    }
    ASSERT_TRUE(stream->Finish().ok());
    ASSERT_EQ(Drain(*stream, &windows), Progress::kEnd);
    ASSERT_EQ(windows.size(), whole->windows.size());
    for (size_t w = 0; w < windows.size(); ++w) {
      ASSERT_EQ(windows[w].index, w);
      ASSERT_EQ(FramesOf(windows[w].window), FramesOf(whole->windows[w]))
          << "case " << i << ", window " << w << " of " << recipe.window_samples << ", hop " << recipe.mel.hop_samples;
    }
  }
}

TEST(WindowStreamTest, GivesTimestampsAsSoonAsTheyCanBeKnown) {
  std::mt19937 random(2);
  const std::vector<float> clip = Noise(30000);
  for (const int window : {514, 1201, 5120, 20480}) {
    const auto stream = Open({window, {}});
    std::vector<StreamWindow> windows;
    while (stream->samples() < 30000) {
      const int64_t piece = std::min<int64_t>(random() % 300, 30000 - stream->samples());
      ASSERT_TRUE(stream->Append(absl::MakeConstSpan(clip).subspan(stream->samples(), piece)).ok());
      Drain(*stream, &windows);
      // Those that end here or before; the first one sees as much reflected.
      const int64_t behind = stream->samples() - (window - window / 2);
      const int64_t known = stream->samples() <= window / 2 || behind < 0 ? 0 : behind / 1600 + 1;
      ASSERT_EQ(windows.size(), known) << stream->samples();
    }
  }
}

TEST(WindowStreamTest, TheFirstTimestampNeedsTheLeastClip) {
  for (const int window : {514, 1201, 5120, 20480}) {
    const auto stream = Open({window, {}});
    std::vector<StreamWindow> windows;
    ASSERT_TRUE(stream->Append(Noise(window / 2)).ok());
    Drain(*stream, &windows);
    EXPECT_EQ(windows.size(), 0);
    ASSERT_TRUE(stream->Append(Noise(1)).ok());
    Drain(*stream, &windows);
    EXPECT_EQ(windows.size(), 1);
  }
}

TEST(WindowStreamTest, GivesSceneWindowsOnceTheRecordingIsLonger) {
  const std::vector<float> clip = Noise(500000);
  const auto stream = Open({});
  std::vector<StreamWindow> windows;
  const auto known_after = [&](int64_t samples) {
    const int64_t piece = samples - stream->samples();
    EXPECT_TRUE(stream->Append(absl::MakeConstSpan(clip).subspan(stream->samples(), piece)).ok());
    Drain(*stream, &windows);
    return windows.size();
  };
  EXPECT_EQ(known_after(320000), 0);
  EXPECT_EQ(known_after(320001), 3) << "around 0, 2.5 and 5 s";
  EXPECT_EQ(known_after(399999), 3);
  EXPECT_EQ(known_after(400000), 4);
  EXPECT_EQ(known_after(480000), 5);
  EXPECT_EQ(known_after(490000), 5);
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_EQ(Drain(*stream, &windows), Progress::kEnd);
  EXPECT_EQ(windows.size(), 7) << "up to 15 s";
}

TEST(WindowStreamTest, SaysTheEndWithTheLastWindow) {
  // Of 1 to 130 frames more than the least: some fill the last step to its end.
  const Recipe recipe;
  const std::vector<float> sound = Noise(1000 + 130 * recipe.mel.hop_samples);
  for (int frames = 0; frames <= 130; ++frames) {
    const auto stream = Open(recipe);
    ASSERT_TRUE(stream->Append(absl::MakeConstSpan(sound).first(1000 + frames * recipe.mel.hop_samples)).ok());
    ASSERT_TRUE(stream->Finish().ok());
    std::vector<StreamWindow> windows;
    Progress progress = Progress::kMore;
    while (windows.empty() && progress == Progress::kMore) progress = *stream->Step(&windows);
    EXPECT_EQ(windows.size(), 1u);
    EXPECT_EQ(progress, Progress::kEnd) << frames;
  }
}

TEST(WindowStreamTest, FullBatchesHoldBackLessThanABatch) {
  const std::vector<float> clip = Noise(100000);
  const auto stream = Open({5120, {}}, {.mel = {}, .full_batches = true});
  std::vector<StreamWindow> windows;
  bool has_waited = false;
  for (int64_t i = 0; i < 100000; i += 1000) {
    ASSERT_TRUE(stream->Append(absl::MakeConstSpan(clip).subspan(i, 1000)).ok());
    Drain(*stream, &windows);
    const int64_t known = stream->samples() < 2561 ? 0 : (stream->samples() - 2560) / 1600 + 1;
    has_waited = has_waited || static_cast<int64_t>(windows.size()) < known;
    ASSERT_GE(static_cast<int64_t>(windows.size()), known - 2);
  }
  EXPECT_TRUE(has_waited);
}

}  // namespace
}  // namespace hearwire
