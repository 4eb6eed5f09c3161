#include "server/pipeline/prepared_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;

// Windows of so many frames each.
std::vector<StreamWindow> Windows(int count, int frames, std::shared_ptr<HeldBytes> held) {
  std::vector<StreamWindow> windows(static_cast<size_t>(count));
  for (StreamWindow& window : windows) {
    window.window.runs[0].frame_count = frames;
    window.frames.push_back(std::make_shared<FrameBlock>(1, frames, held));
  }
  return windows;
}

class PreparedWindowsTest : public ::testing::Test {
 protected:
  std::vector<WindowRequest> Add(int clip, int windows, bool last, int frames = 4) {
    return prepared_.Add(clip, Windows(windows, frames, held_), last, {&readout_, 1});
  }
  // The clips of the pieces that leave now.
  std::vector<int> TakeAll() {
    std::vector<int> clips;
    while (auto piece = prepared_.Take()) clips.push_back(piece->clip);
    return clips;
  }

  const std::shared_ptr<HeldBytes> held_ = std::make_shared<HeldBytes>(0);
  const Readout readout_ = {};
  PreparedWindows prepared_{2};
};

TEST_F(PreparedWindowsTest, GivesEveryWindowARowOfItsOwn) {
  const std::vector<WindowRequest> requests = Add(0, 3, true);
  for (size_t i = 0; i < 3; ++i) {
    requests[i].row[0] = static_cast<float>(i);
    requests[i].row[1] = static_cast<float>(10 * i);
  }
  prepared_.OnComputed(0, 3);
  const auto piece = prepared_.Take();
  ASSERT_TRUE(piece);
  EXPECT_THAT(std::vector<float>(piece->rows.get(), piece->rows.get() + 6), ElementsAre(0, 0, 1, 10, 2, 20));
  EXPECT_TRUE(piece->last_of_clip);
}

TEST_F(PreparedWindowsTest, PiecesLeaveInTheirOrderWhicheverIsComputedFirst) {
  Add(0, 2, false);  // 0, 1
  Add(1, 2, true);   // 2, 3
  Add(0, 1, true);   // 4
  prepared_.OnComputed(2, 3);
  EXPECT_THAT(TakeAll(), ElementsAre());
  prepared_.OnComputed(0, 1);
  EXPECT_THAT(TakeAll(), ElementsAre());
  prepared_.OnComputed(1, 1);
  EXPECT_THAT(TakeAll(), ElementsAre(0, 1, 0));
  EXPECT_TRUE(prepared_.empty());
}

TEST_F(PreparedWindowsTest, CountsTheFramesOfABatchThatSpansPieces) {
  Add(0, 2, true, 4);
  Add(1, 2, true, 10);
  EXPECT_EQ(prepared_.OnComputed(1, 2), 4 + 10);
  EXPECT_EQ(prepared_.OnComputed(0, 1), 4);
  EXPECT_EQ(prepared_.OnComputed(3, 1), 10);
}

TEST_F(PreparedWindowsTest, LetsFramesGoAsSoonAsAPieceIsComputed) {
  Add(0, 1, false, 4);
  Add(0, 1, true, 4);
  EXPECT_EQ(*held_, 2 * 4 * 4);
  prepared_.OnComputed(1, 1);
  EXPECT_EQ(*held_, 4 * 4);
  prepared_.OnComputed(0, 1);
  EXPECT_EQ(*held_, 0);
}

TEST_F(PreparedWindowsTest, AClipThatEndsWithoutFurtherWindowsEndsInItsTurn) {
  Add(0, 1, false);
  Add(0, 0, true);
  prepared_.OnComputed(0, 1);
  ASSERT_TRUE(prepared_.Take());
  const auto end = prepared_.Take();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->last_of_clip);
  EXPECT_EQ(end->windows, 0);
}

}  // namespace
}  // namespace hearwire
