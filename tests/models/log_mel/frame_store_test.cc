#include "models/log_mel/frame_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hearwire {
namespace {

constexpr int kMels = 2;

// What a frame sees: where it lies, and the window whose reflection it sees, if any.
struct Seen {
  int64_t centre;
  int64_t owner;  // -1: none.

  friend auto operator<=>(const Seen&, const Seen&) = default;
};

struct Grid {
  std::string name;
  WindowGrid grid;
  int64_t windows;
};

// Takes all windows and writes into each frame what it sees.
class FilledStore {
 public:
  FilledStore(const WindowGrid& grid, int64_t first, int64_t windows, bool knows_end)
      : grid_(grid), store_(grid, kMels, held_) {
    for (int64_t i = first; i < first + windows; ++i) {
      store_.BeginWindow(i, knows_end ? first + windows - i : FrameStore::kUnknown);
      for (int64_t frame = 0; frame < grid.frames_per_window(); ++frame) {
        float* const target = store_.NewFrame(frame);
        if (target == nullptr) continue;
        const Seen seen = Sees(i, frame);
        ++written_[seen];
        target[0] = static_cast<float>(seen.centre);
        target[1] = static_cast<float>(seen.owner);
      }
      windows_.push_back(store_.EndWindow());
    }
  }

  Seen Sees(int64_t window, int64_t frame) const {
    const int64_t centre = grid_.begin(window) + frame * grid_.frame_hop;
    const bool is_inner =
        centre - 400 >= grid_.begin(window) && centre + 400 <= grid_.begin(window) + grid_.window_samples - 1;
    return {centre, is_inner ? -1 : window};
  }

  const std::vector<StreamWindow>& windows() const { return windows_; }
  const std::map<Seen, int>& written() const { return written_; }
  int64_t held_bytes() const { return *held_; }

 private:
  const WindowGrid grid_;
  const std::shared_ptr<HeldBytes> held_ = std::make_shared<HeldBytes>(0);
  FrameStore store_;
  std::map<Seen, int> written_;
  std::vector<StreamWindow> windows_;
};

class FrameStoreTest : public ::testing::TestWithParam<Grid> {};

TEST_P(FrameStoreTest, GivesEveryWindowItsFramesInOrder) {
  const auto& [name, grid, windows] = GetParam();
  for (const bool knows_end : {false, true}) {
    for (const int64_t first : {0, 7}) {
      const FilledStore store(grid, first, windows, knows_end);
      for (int64_t i = 0; i < windows; ++i) {
        const StreamWindow& window = store.windows()[i];
        ASSERT_EQ(window.index, first + i);
        ASSERT_EQ(window.window.frame_count(), grid.frames_per_window());
        int64_t frame = 0;
        for (const Window::Run& run : window.window.runs) {
          for (int f = 0; f < run.frame_count; ++f, ++frame) {
            const Seen seen = store.Sees(first + i, frame);
            ASSERT_EQ(run.frames[f * kMels], static_cast<float>(seen.centre)) << i << " " << frame;
            ASSERT_EQ(run.frames[f * kMels + 1], static_cast<float>(seen.owner)) << i << " " << frame;
          }
        }
      }
    }
  }
}

TEST_P(FrameStoreTest, AsksForNoFrameTwiceAndForNoneInVain) {
  const auto& [name, grid, windows] = GetParam();
  const FilledStore store(grid, 0, windows, false);
  std::map<Seen, int> needed;
  for (int64_t i = 0; i < windows; ++i) {
    for (int64_t frame = 0; frame < grid.frames_per_window(); ++frame) needed[store.Sees(i, frame)] = 1;
  }
  EXPECT_EQ(store.written(), needed);
}

TEST_P(FrameStoreTest, HoldsNoMoreThanIsNeededWhereTheEndIsKnown) {
  const auto& [name, grid, windows] = GetParam();
  const FilledStore store(grid, 0, windows, true);
  EXPECT_EQ(store.held_bytes(), static_cast<int64_t>(store.written().size() * kMels * sizeof(float)));
}

std::vector<Grid> Grids() {
  std::vector<Grid> grids;
  const auto add = [&](int64_t window, int64_t window_hop, int frame_hop, int64_t windows) {
    grids.push_back(
        {std::to_string(windows) + "x" + std::to_string(window) + "hop" + std::to_string(frame_hop),
         {.padding = window / 2, .window_samples = window, .window_hop = window_hop, .frame_hop = frame_hop},
         windows});
  };
  for (const int hop : {160, 320, 480, 640, 800}) {
    for (const int64_t window : {514, 1201, 5120, 20480, 40960}) add(window, 1600, hop, 93);
    add(514, 514, hop, 1);
    add(41601, 41601, hop, 1);
    add(320000, 80000, hop, 9);
  }
  return grids;
}
INSTANTIATE_TEST_SUITE_P(Grids, FrameStoreTest, ::testing::ValuesIn(Grids()),
                         [](const auto& info) { return info.param.name; });

TEST(FrameStoreSharingTest, SharesThirteenOfSixteenFramesAtHop320) {
  // 201 windows of 160 ms every 50 ms: 3 edge frames each, and one run of inner frames.
  const FilledStore store(TimestampGrid(5120, {}), 0, 201, true);
  EXPECT_EQ(store.written().size(), 201 * 3 + 200 * 5 + 13);
}

TEST(FrameStoreSharingTest, SharesTwentySevenOfThirtyTwoFramesAtHop160) {
  const FilledStore store(TimestampGrid(5120, {.hop_samples = 160}), 0, 201, true);
  EXPECT_EQ(store.written().size(), 201 * 5 + 200 * 10 + 27);
}

TEST(FrameStoreTest, FramesLiveAsLongAsTheirWindows) {
  const auto held = std::make_shared<HeldBytes>(0);
  StreamWindow last;
  int64_t most = 0;
  {
    FrameStore store(TimestampGrid(5120, {}), kMels, held);
    for (int64_t i = 0; i < 10000; ++i) {
      store.BeginWindow(i);
      for (int64_t frame = 0; frame < 16; ++frame) {
        if (float* target = store.NewFrame(frame)) target[0] = static_cast<float>(i);
      }
      last = store.EndWindow();
      most = std::max(most, held->load());
    }
  }
  EXPECT_LE(most, 6 * 64 * kMels * 4);
  EXPECT_LE(*held, 3 * 64 * kMels * 4);
  EXPECT_EQ(last.window.runs[0].frames[0], 9999);
  EXPECT_EQ(last.window.runs[1].frames[0], 9997) << "shared with windows that are gone";
  last = {};
  EXPECT_EQ(*held, 0);
}

}  // namespace
}  // namespace hearwire
