#include "client/stream_progress.h"

#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hearwire::client {
namespace {

using ::testing::HasSubstr;

TEST(AnswerTimesTest, CountsWhatComesInOrder) {
  AnswerTimes rows("the row", 50, 2000);
  EXPECT_EQ(rows.NeededFromMs(), std::nullopt);
  EXPECT_EQ(*rows.CountSeen({100, 150, 200}), 0);
  EXPECT_EQ(*rows.CountSeen({250.001}), 0);
  EXPECT_EQ(rows.count(), 4);
  EXPECT_NEAR(*rows.NeededFromMs(), 300 - 2000, 0.01);
}

TEST(AnswerTimesTest, RefusesTimesThatAreNotTheNext) {
  for (const std::vector<double>& times : std::vector<std::vector<double>>{
           {0, 50, 50}, {0, 100}, {50, 0}, {0, 50.5}, {std::numeric_limits<double>::quiet_NaN()}}) {
    AnswerTimes rows("the row", 50, 2000);
    const absl::Status wrong = rows.CountSeen(times).status();
    EXPECT_TRUE(absl::IsInternal(wrong)) << wrong;
    EXPECT_THAT(std::string(wrong.message()), HasSubstr("contradicts itself: the row at "));
  }
}

TEST(AnswerTimesTest, KnowsWhatANewCallRepeats) {
  AnswerTimes rows("the row", 50, 2000);
  EXPECT_EQ(*rows.CountSeen({0, 50, 100}), 0);
  rows.OnNewCall();
  EXPECT_EQ(*rows.CountSeen({50, 100, 150}), 2);
  EXPECT_EQ(rows.count(), 4);
  EXPECT_EQ(rows.count_of_call(), 3);
  rows.OnNewCall();
  EXPECT_EQ(*rows.CountSeen({200}), 0);
  EXPECT_TRUE(absl::IsInternal(rows.CountSeen({200}).status()));
}

TEST(AnswerTimesTest, RefusesANewCallThatLacksSome) {
  AnswerTimes rows("the row", 50, 2000);
  ASSERT_TRUE(rows.CountSeen({0, 50}).ok());
  rows.OnNewCall();
  EXPECT_THAT(std::string(rows.CountSeen({200}).status().message()), HasSubstr("lacks the row from 100 to 150 ms"));
}

TEST(StreamProgressTest, NeedsWhatTheSlowestAnswerNeeds) {
  StreamProgress progress(/*rows=*/true, /*scene_windows=*/true, {"h"}, 0, 8000);
  EXPECT_EQ(progress.NeededFromSample(), 0);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(progress.rows().CountSeen({i * 50.0}).ok());
  EXPECT_EQ(progress.NeededFromSample(), 0);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(progress.scene_windows().CountSeen({i * 2500.0}).ok());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(progress.head("h")->CountSeen({i * 50.0}).ok());
  // The scene window at 25 s: its first half, and 1.2 s before.
  EXPECT_EQ(progress.NeededFromSample(), (25000 - 5000 - 1200) * 8);
  for (int i = 10; i < 20; ++i) ASSERT_TRUE(progress.scene_windows().CountSeen({i * 2500.0}).ok());
  // The row at 50 s: half of any window, and 1.2 s before.
  EXPECT_EQ(progress.NeededFromSample(), (50000 - 5000 - 1200) * 8);
  EXPECT_EQ(progress.head("other"), nullptr);
}

TEST(StreamProgressTest, NeedsNothingBeforeTheFirstSample) {
  StreamProgress progress(/*rows=*/true, /*scene_windows=*/false, {}, 4000, 1000);
  EXPECT_EQ(progress.NeededFromSample(), 4000);
  ASSERT_TRUE(progress.rows().CountSeen({4100, 4150}).ok());
  EXPECT_EQ(progress.NeededFromSample(), 4000);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(progress.rows().CountSeen({4200 + i * 50.0}).ok());
  EXPECT_EQ(progress.NeededFromSample(), 9200 - 2000);
}

}  // namespace
}  // namespace hearwire::client
