#include "models/torch/chunk_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;

constexpr int kMels = 128;
constexpr int kSceneFrames = 1000;
constexpr ChunkPolicy kPolicy = {.max_frames = 32768, .pad_windows = true, .small_chunk_frames = 4096};

std::vector<int> Lengths(std::initializer_list<std::pair<int, int>> counts) {  // Windows, frames.
  std::vector<int> lengths;
  for (const auto& [windows, frames] : counts) lengths.insert(lengths.end(), windows, frames);
  return lengths;
}

ChunkCut Cut(const std::vector<int>& lengths, const ChunkPolicy& policy = kPolicy) {
  return CutChunk(lengths, kMels, kSceneFrames, policy);
}

MATCHER_P3(Holds, taken, windows, frames, "") {
  *result_listener << arg.windows << " windows in " << arg.shape.windows << " x " << arg.shape.frames;
  return arg.windows == taken && arg.shape == ChunkShape{windows, frames, kMels};
}

TEST(ChunkShapesTest, CountsWindowsByTheirSet) {
  std::set<int> set;
  for (int i = 1; i <= 50; ++i) set.insert(RoundUpWindows(i));
  EXPECT_THAT(set, ElementsAre(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64));
  for (int i = 1; i <= 5000; ++i) {
    EXPECT_GE(RoundUpWindows(i), i);
    EXPECT_LE(RoundDownWindows(i), i);
    EXPECT_EQ(RoundDownWindows(RoundUpWindows(i)), RoundUpWindows(i)) << "of the set";
    EXPECT_EQ(RoundUpWindows(RoundDownWindows(i)), RoundDownWindows(i)) << "of the set";
    EXPECT_GE(RoundUpWindows(RoundDownWindows(i) + 1), i) << "the largest that is not above";
  }
}

TEST(ChunkShapesTest, RoundsLengthsToFourBits) {
  std::set<int> set;
  for (int i = 1; i <= 70; ++i) set.insert(RoundUpFrames(i, kSceneFrames));
  EXPECT_THAT(set, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 32,
                               36, 40, 44, 48, 52, 56, 60, 64, 72));
}

TEST(ChunkShapesTest, PadsAWindowByAtMostANinth) {
  for (const int scene_frames : {400, 500, 667, 1000, 2000}) {
    for (int frames = 1; frames <= 5000; ++frames) {
      const int rounded = RoundUpFrames(frames, scene_frames);
      ASSERT_GE(rounded, frames);
      ASSERT_LE(9 * (rounded - frames), rounded) << frames;
      ASSERT_EQ(RoundUpFrames(rounded, scene_frames), rounded);
    }
  }
}

TEST(ChunkShapesTest, LeavesThePublishedLengthsAsTheyAre) {
  // Windows of 160, 640 and 1280 ms, at hops of 5 to 25 ms, and scenes of 10 s.
  for (const int hop : {160, 320, 480, 640, 800}) {
    const int scene_frames = (320000 - 1) / hop + 1;
    EXPECT_EQ(RoundUpFrames(scene_frames, scene_frames), scene_frames);
    EXPECT_EQ(RoundUpFrames((5120 - 1) / hop + 1, scene_frames), (5120 - 1) / hop + 1);
  }
  for (const int milliseconds : {640, 1280}) {
    const int frames = (milliseconds * 32 - 1) / 320 + 1;
    EXPECT_EQ(RoundUpFrames(frames, kSceneFrames), frames);
  }
}

TEST(ChunkShapesTest, FillsASmallChunkUp) {
  EXPECT_THAT(Cut(Lengths({{201, 16}})), Holds(201, 256, 16));  // The timestamps of a clip of 10 s.
  EXPECT_THAT(Cut(Lengths({{1, 1000}})), Holds(1, 1, 1000));
  EXPECT_THAT(Cut(Lengths({{1, 980}, {1, 600}, {1, 500}})), Holds(3, 3, 1000));
}

TEST(ChunkShapesTest, WastesLittleOfALargeChunk) {
  EXPECT_THAT(Cut(Lengths({{400, 16}})), Holds(384, 384, 16));
  EXPECT_THAT(Cut(Lengths({{470, 16}})), Holds(470, 512, 16));
  EXPECT_THAT(Cut(Lengths({{5, 1000}})), Holds(4, 4, 1000));
  EXPECT_THAT(Cut(Lengths({{5000, 16}})), Holds(2048, 2048, 16));
}

TEST(ChunkShapesTest, LeavesMuchShorterWindowsAmongThemselves) {
  EXPECT_THAT(Cut(Lengths({{1, 1000}, {3, 499}})), Holds(1, 1, 1000));
  EXPECT_THAT(Cut(Lengths({{1, 1000}, {100, 16}})), Holds(1, 1, 1000));
}

TEST(ChunkShapesTest, KeepsLengthsApartWithoutPadding) {
  ChunkPolicy exact = {.max_frames = 1024};
  EXPECT_THAT(Cut(Lengths({{1, 997}, {1, 996}}), exact), Holds(1, 1, 997));
  EXPECT_THAT(Cut(Lengths({{9, 17}, {9, 16}}), exact), Holds(8, 8, 17));
  EXPECT_THAT(Cut(Lengths({{1, 5000}}), exact), Holds(1, 1, 5000));
}

// Random batches, cut until nothing waits.
TEST(ChunkShapesTest, KeepsItsBounds) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<int> lengths(1 + random() % 300);
    for (int& length : lengths) length = random() % 3 == 0 ? 16 : static_cast<int>(2 + random() % (kSceneFrames - 1));
    std::sort(lengths.rbegin(), lengths.rend());
    for (absl::Span<const int> waiting = lengths; !waiting.empty();) {
      const ChunkCut cut = CutChunk(waiting, kMels, kSceneFrames, kPolicy);
      ASSERT_GE(cut.windows, 1);
      ASSERT_LE(cut.windows, cut.shape.windows);
      const int64_t room = int64_t{1} * cut.shape.windows * cut.shape.frames;
      int64_t filled = 0;
      for (int i = 0; i < cut.windows; ++i) filled += waiting[i];
      ASSERT_LE(waiting[0], cut.shape.frames);
      ASSERT_LE(room, kPolicy.max_frames);
      if (room > kPolicy.small_chunk_frames) {
        ASSERT_LE(8 * (room - filled), room);
      }
      ASSERT_EQ(RoundUpWindows(cut.shape.windows), cut.shape.windows);
      ASSERT_EQ(RoundUpFrames(cut.shape.frames, kSceneFrames), cut.shape.frames);
      waiting.remove_prefix(cut.windows);
    }
  }
}

TEST(ChunkShapesTest, SaysHowManyShapesThereAre) {
  std::set<std::pair<int, int>> shapes;
  for (int frames = 1; frames <= kSceneFrames; ++frames) {
    const int rounded = RoundUpFrames(frames, kSceneFrames);
    for (int windows = 1; windows * rounded <= kPolicy.max_frames; ++windows) {
      if (RoundUpWindows(windows) * rounded > kPolicy.max_frames) break;
      shapes.emplace(RoundUpWindows(windows), rounded);
    }
  }
  EXPECT_EQ(CountChunkShapes(kSceneFrames, kPolicy), static_cast<int64_t>(shapes.size()));
  EXPECT_EQ(shapes.size(), 1117u);
}

}  // namespace
}  // namespace hearwire
