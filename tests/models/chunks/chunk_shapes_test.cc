#include "models/chunks/chunk_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <tuple>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;

constexpr ChunkPolicy kPolicy = {.max_frames = 32768, .pad_windows = true, .small_chunk_frames = 4096};

ChunkNetwork MakeNetwork(double width = 1.0, int mels = 128, int hop = 320) {
  return {MakeNetworkShape(width), mels, (5120 - 1) / hop + 1, (320000 - 1) / hop + 1};
}
const ChunkNetwork kMn10 = MakeNetwork();

std::vector<int> Lengths(std::initializer_list<std::pair<int, int>> counts) {  // Windows, frames.
  std::vector<int> lengths;
  for (const auto& [windows, frames] : counts) lengths.insert(lengths.end(), windows, frames);
  return lengths;
}

ChunkCut Cut(const std::vector<int>& lengths, const ChunkPolicy& policy = kPolicy) {
  return CutChunk(lengths, kMn10, policy);
}

MATCHER_P3(Holds, taken, windows, frames, "") {
  *result_listener << arg.windows << " windows in " << arg.shape.windows << " x " << arg.shape.frames;
  return arg.windows == taken && arg.shape == ChunkShape{windows, frames, 128};
}

TEST(ChunkShapesTest, CountsWindowsByPowersOfTwo) {
  for (const auto& [windows, up, down] :
       {std::tuple(1, 1, 1), {2, 2, 2}, {3, 4, 2}, {5, 8, 4}, {201, 256, 128}, {2048, 2048, 2048}}) {
    EXPECT_EQ(RoundUpWindows(windows), up);
    EXPECT_EQ(RoundDownWindows(windows), down);
  }
  EXPECT_EQ(RoundDownWindows(0), 1);
}

TEST(ChunkShapesTest, HoldsWhatItTakesWhereThePolicySaysSo) {
  ChunkPolicy exact = kPolicy;
  exact.exact_windows = true;
  EXPECT_THAT(Cut(Lengths({{201, 16}}), exact), Holds(201, 201, 16));
  EXPECT_THAT(Cut(Lengths({{3, 1000}}), exact), Holds(3, 3, 1000));
  EXPECT_THAT(Cut(Lengths({{3000, 16}}), exact), Holds(2048, 2048, 16));
}

TEST(ChunkShapesTest, HasFewLengths) {
  std::set<int> set;
  for (int i = 1; i <= 1000; ++i) set.insert(RoundUpFrames(i, kMn10));
  EXPECT_THAT(set, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 21, 22, 25, 29, 32, 35,
                               38, 41, 44, 50, 57, 63, 64, 69, 75, 82, 88, 100, 113, 125, 128, 138, 150, 163, 175, 200,
                               225, 250, 275, 300, 325, 350, 400, 450, 500, 550, 600, 650, 700, 800, 900, 1000));
}

TEST(ChunkShapesTest, PadsAWindowByAtMostAnEighth) {
  for (const int hop : {160, 320, 480, 640, 800}) {
    const ChunkNetwork network = MakeNetwork(1.0, 128, hop);
    for (int frames = 1; frames <= 5000; ++frames) {
      const int rounded = RoundUpFrames(frames, network);
      ASSERT_GE(rounded, frames);
      ASSERT_LE(8 * (rounded - frames), rounded) << frames;
      ASSERT_EQ(RoundUpFrames(rounded, network), rounded);
      ASSERT_GE(rounded, RoundUpFrames(std::max(1, frames - 1), network));
    }
  }
}

TEST(ChunkShapesTest, LeavesCommonLengthsAsTheyAre) {
  // Windows of 160 ms and scenes of 10 and 5 s, at hops of 5 to 25 ms.
  for (const int hop : {160, 320, 480, 640, 800}) {
    const ChunkNetwork network = MakeNetwork(1.0, 128, hop);
    for (const int samples : {5120, 320000, 160000}) {
      const int frames = (samples - 1) / hop + 1;
      EXPECT_EQ(RoundUpFrames(frames, network), frames) << hop;
    }
  }
  // Windows of 320, 640 and 1280 ms, scenes of whole seconds.
  for (const int frames : {32, 64, 128, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900}) {
    EXPECT_EQ(RoundUpFrames(frames, kMn10), frames);
  }
}

TEST(ChunkShapesTest, FillsASmallChunkUp) {
  EXPECT_THAT(Cut(Lengths({{201, 16}})), Holds(201, 256, 16));  // The timestamps of a clip of 10 s.
  EXPECT_THAT(Cut(Lengths({{1, 1000}})), Holds(1, 1, 1000));
  EXPECT_THAT(Cut(Lengths({{3, 600}})), Holds(3, 4, 600));
}

TEST(ChunkShapesTest, PadsToHalvesOfAScene) {
  EXPECT_THAT(Cut(Lengths({{1, 980}, {1, 600}, {1, 500}})), Holds(3, 4, 1000));
  EXPECT_THAT(Cut(Lengths({{1, 301}})), Holds(1, 1, 500));
  EXPECT_THAT(Cut(Lengths({{1, 300}, {1, 299}})), Holds(2, 2, 500));
  // Too many for a small chunk: by the next length.
  EXPECT_THAT(Cut(Lengths({{16, 270}})), Holds(16, 16, 275));
}

TEST(ChunkShapesTest, WastesLittleOfALargeChunk) {
  EXPECT_THAT(Cut(Lengths({{400, 16}})), Holds(256, 256, 16));
  EXPECT_THAT(Cut(Lengths({{470, 16}})), Holds(470, 512, 16));
  EXPECT_THAT(Cut(Lengths({{5, 1000}})), Holds(4, 4, 1000));
  EXPECT_THAT(Cut(Lengths({{5000, 16}})), Holds(2048, 2048, 16));
  EXPECT_THAT(Cut(Lengths({{4, 900}, {4, 850}})), Holds(8, 8, 900));
}

TEST(ChunkShapesTest, LeavesMuchShorterWindowsAmongThemselves) {
  EXPECT_THAT(Cut(Lengths({{1, 1000}, {3, 499}})), Holds(1, 1, 1000));
  EXPECT_THAT(Cut(Lengths({{1, 1000}, {100, 16}})), Holds(1, 1, 1000));
}

// What is small depends on how large the maps are.
TEST(ChunkShapesTest, KnowsASmallChunkByTheNetwork) {
  EXPECT_EQ(SmallChunkFrames(kMn10, kPolicy), 4096);
  EXPECT_EQ(SmallChunkFrames(MakeNetwork(1.0, 256), kPolicy), 2048);
  EXPECT_GT(SmallChunkFrames(MakeNetwork(0.1), kPolicy), 4 * 4096);
  EXPECT_LT(SmallChunkFrames(MakeNetwork(4.0), kPolicy), 4096 / 3);
  const std::vector<int> timestamps(201, 16);
  EXPECT_EQ(CutChunk(timestamps, MakeNetwork(4.0), kPolicy).windows, 128);
}

TEST(ChunkShapesTest, KeepsLengthsApartWithoutPadding) {
  const ChunkPolicy exact = {.max_frames = 1024};
  EXPECT_THAT(Cut(Lengths({{1, 997}, {1, 996}}), exact), Holds(1, 1, 997));
  EXPECT_THAT(Cut(Lengths({{9, 17}, {9, 16}}), exact), Holds(8, 8, 17));
  EXPECT_THAT(Cut(Lengths({{15, 17}}), exact), Holds(15, 16, 17));
  EXPECT_THAT(Cut(Lengths({{1, 5000}}), exact), Holds(1, 1, 5000));
}

// Random batches, cut until nothing waits.
TEST(ChunkShapesTest, KeepsItsBounds) {
  std::mt19937 random(1);
  for (const ChunkNetwork& network : {kMn10, MakeNetwork(0.1, 40, 480), MakeNetwork(4.0), MakeNetwork(1.0, 256, 160)}) {
    const auto all = AllChunkShapes(network, kPolicy);
    const int small_frames = SmallChunkFrames(network, kPolicy);
    for (int round = 0; round < 100; ++round) {
      std::vector<int> lengths(1 + random() % 300);
      for (int& length : lengths) {
        length =
            random() % 3 == 0 ? network.window_frames : static_cast<int>(2 + random() % (network.scene_frames - 1));
      }
      std::sort(lengths.rbegin(), lengths.rend());
      for (absl::Span<const int> waiting = lengths; !waiting.empty();) {
        const ChunkCut cut = CutChunk(waiting, network, kPolicy);
        ASSERT_GE(cut.windows, 1);
        ASSERT_LE(cut.windows, cut.shape.windows);
        ASSERT_LE(waiting[0], cut.shape.frames);
        ASSERT_LE(cut.shape.windows * cut.shape.frames, kPolicy.max_frames);
        const int64_t room = int64_t{1} * cut.shape.windows * cut.shape.frames;
        int64_t filled = 0;
        for (int i = 0; i < cut.windows; ++i) filled += waiting[i];
        if (room > small_frames) {
          ASSERT_LE(8 * (room - filled), room);
        }
        ASSERT_NE(std::find(all.begin(), all.end(), cut.shape), all.end())
            << cut.shape.windows << " x " << cut.shape.frames;
        waiting.remove_prefix(cut.windows);
      }
    }
  }
}

TEST(ChunkShapesTest, SaysHowManyShapesThereAre) { EXPECT_EQ(AllChunkShapes(kMn10, kPolicy).size(), 583u); }

}  // namespace
}  // namespace hearwire
