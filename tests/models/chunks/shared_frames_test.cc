#include "models/chunks/shared_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "models/log_mel/clip_windows.h"

namespace hearwire {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

std::vector<float> RandomValues(size_t count) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> values(count);
  for (float& v : values) v = value(random);
  return values;
}

// What a slot would be given.
struct Input {
  std::vector<float> rows;
  std::vector<int32_t> index;
  std::vector<int32_t> lengths;

  Input(const std::vector<Window>& windows, const ChunkShape& shape) {
    std::vector<WindowRequest> requests;
    for (const Window& window : windows) requests.push_back({window, {}, nullptr});
    std::vector<const WindowRequest*> views;
    for (const WindowRequest& request : requests) views.push_back(&request);
    SharedFrames frames;
    frames.Collect(views, shape.mels);
    rows.assign(frames.rows() * shape.mels, 99.0f);
    index.assign(shape.windows * shape.frames, -1);
    lengths.assign(shape.windows, -1);
    frames.Write(shape, {rows.data(), index.data(), lengths.data()});
  }
};

// The frames of a window, one after the other.
std::vector<float> Frames(const Window& window) {
  std::vector<float> frames;
  for (const Window::Run& run : window.runs) {
    frames.insert(frames.end(), run.frames, run.frames + size_t{1} * run.frame_count * window.mels);
  }
  return frames;
}

std::vector<float> Gather(const Input& input, const ChunkShape& shape, int window) {
  std::vector<float> frames;
  for (int t = 0; t < shape.frames; ++t) {
    const auto row = input.rows.begin() + input.index[window * shape.frames + t] * shape.mels;
    frames.insert(frames.end(), row, row + shape.mels);
  }
  return frames;
}

Window MakeWindow(const float* frames, int count, int mels) {
  Window window;
  window.runs[1] = {frames, count};
  window.mels = mels;
  return window;
}

// Timestamps of 10 s: 201 windows of 16 frames are 3216. Each has three frames of its own, which see its own
// reflection; the others are those of the clip and of the window's half before and behind it.
TEST(SharedFramesTest, SendsAClipsFramesOnce) {
  const MelSettings mel = {.n_mels = 128, .hop_samples = 320};
  const auto clip = MakeTimestampWindows(RandomValues(320000), 5120, mel);
  ASSERT_TRUE(clip.ok());
  ASSERT_EQ(clip->windows.size(), 201u);
  const ChunkShape shape = {256, 16, 128};
  const Input input(clip->windows, shape);
  for (int i = 0; i < 201; ++i) ASSERT_EQ(Gather(input, shape, i), Frames(clip->windows[i])) << i;
  const int rows = static_cast<int>(input.rows.size()) / shape.mels;
  EXPECT_EQ(rows, 1 + 201 * 3 + 1013);
  // Frames and index together, against the frames one window after the other.
  const size_t bytes = input.rows.size() * sizeof(float) + input.index.size() * sizeof(int32_t);
  EXPECT_LT(bytes, 0.52 * 3216 * shape.mels * sizeof(float));
}

TEST(SharedFramesTest, PadsWithZeros) {
  const std::vector<float> values = RandomValues(20 * 4);
  const ChunkShape shape = {4, 8, 4};
  const Input input({MakeWindow(values.data(), 8, 4), MakeWindow(values.data() + 12 * 4, 5, 4)}, shape);
  EXPECT_THAT(input.lengths, ElementsAre(8, 5, 8, 8));
  std::vector<float> padded(values.begin() + 12 * 4, values.begin() + 17 * 4);
  padded.resize(8 * 4);
  EXPECT_EQ(Gather(input, shape, 1), padded);
  for (const int window : {2, 3}) EXPECT_THAT(Gather(input, shape, window), Each(0.0f));
}

TEST(SharedFramesTest, JoinsRunsOnlyWhereTheirFramesAreTheSame) {
  const std::vector<float> values = RandomValues(64);
  const ChunkShape shape = {6, 3, 4};
  const std::vector<Window> windows = {
      MakeWindow(values.data(), 3, 4),      MakeWindow(values.data() + 4, 3, 4),  // Shares two frames.
      MakeWindow(values.data() + 2, 3, 4),                                        // Overlaps, half a frame later.
      MakeWindow(values.data() + 16, 3, 4),                                       // Begins where the second ends.
      MakeWindow(values.data(), 2, 4),      MakeWindow(values.data() + 16, 3, 4)};
  const Input input(windows, shape);
  for (int i : {0, 1, 2, 3, 5}) EXPECT_EQ(Gather(input, shape, i), Frames(windows[i])) << i;
  EXPECT_EQ(input.lengths[4], 2);
}

}  // namespace
}  // namespace hearwire
