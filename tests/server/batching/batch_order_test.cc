// In which order BatchQueue lets calls run, and how it fills a batch with them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/batching/batch_queue.h"
#include "tests/server/batching/queue_driver.h"

namespace hearwire {
namespace {

BatchQueueOptions Options(int64_t max_batch_frames) {
  BatchQueueOptions options;
  options.max_batch_frames = max_batch_frames;
  options.min_shared_frames = 1;
  options.max_queue_time = absl::InfiniteDuration();
  return options;
}

std::vector<int> Windows(int count) { return std::vector<int>(static_cast<size_t>(count), 1); }

int64_t CountOf(char letter, const std::string& batch) { return std::count(batch.begin(), batch.end(), letter); }

TEST(BatchOrderTest, TheCallWithTheLeastWorkLeftRunsFirst) {
  QueueDriver driver(Options(2));
  ASSERT_TRUE(driver.Push('A', 6).ok());
  ASSERT_TRUE(driver.Push('B', 4).ok());
  EXPECT_EQ(driver.Take(), "B0 B1");
  ASSERT_TRUE(driver.Push('C', 3).ok());
  EXPECT_EQ(driver.Take(), "B2 B3") << "two are left of B, and three of C";
  EXPECT_EQ(driver.Take(), "C0 C1");
  ASSERT_TRUE(driver.Push('D', 1).ok());
  EXPECT_EQ(driver.Take(), "C2 D0") << "who came first of those with as much left";
  EXPECT_EQ(driver.Take(), "A0 A1");
}

TEST(BatchOrderTest, WorkIsCountedInFrames) {
  QueueDriver driver(Options(6));
  ASSERT_TRUE(driver.Push('A', {.window_frames = {6}}).ok());
  ASSERT_TRUE(driver.Push('B', {.window_frames = {1, 1, 1}}).ok());
  EXPECT_EQ(driver.Take(), "B0 B1 B2");
}

TEST(BatchOrderTest, CallersTakeTurnsByWindow) {
  QueueDriver driver(Options(6));
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(20), .caller = 1}).ok());
  ASSERT_TRUE(driver.Push('B', {.window_frames = Windows(30), .caller = 5}).ok());
  EXPECT_EQ(driver.Take(), "A0 B0 A1 B1 A2 B2");
}

TEST(BatchOrderTest, CallersShareByWeight) {
  QueueDriver driver(Options(400));
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(1000), .caller = 1, .weight = 3}).ok());
  ASSERT_TRUE(driver.Push('B', {.window_frames = Windows(1000), .caller = 2}).ok());
  EXPECT_NEAR(static_cast<double>(CountOf('A', driver.Take())), 300, 1);
}

TEST(BatchOrderTest, CallersShareByCostNotByWindow) {
  QueueDriver driver(Options(80));
  ASSERT_TRUE(driver.Push('A', {.window_frames = std::vector<int>(100, 4), .caller = 1}).ok());
  ASSERT_TRUE(driver.Push('B', {.window_frames = Windows(400), .caller = 2}).ok());
  const std::string batch = driver.Take();
  EXPECT_EQ(CountOf('A', batch), 10);
  EXPECT_EQ(CountOf('B', batch), 40);
}

TEST(BatchOrderTest, ManyCallsOfACallerHaveOneShare) {
  QueueDriver driver(Options(20));
  for (char letter = 'a'; letter < 'a' + 20; ++letter) {
    ASSERT_TRUE(driver.Push(letter, {.window_frames = Windows(3), .caller = 1}).ok());
  }
  ASSERT_TRUE(driver.Push('B', {.window_frames = Windows(50), .caller = 2}).ok());
  EXPECT_NEAR(static_cast<double>(CountOf('B', driver.Take())), 10, 1);
}

TEST(BatchOrderTest, IdleTimeEarnsNothing) {
  QueueDriver driver(Options(100));
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(500), .caller = 1}).ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(CountOf('A', driver.Take()), 100);
  ASSERT_TRUE(driver.Push('B', {.window_frames = Windows(500), .caller = 2}).ok());
  EXPECT_NEAR(static_cast<double>(CountOf('B', driver.Take())), 50, 1);
}

TEST(BatchOrderTest, ACallerHasOneShareOverAllNetworks) {
  QueueDriver driver(Options(10));
  for (int network = 0; network < 3; ++network) {
    ASSERT_TRUE(
        driver.Push(static_cast<char>('A' + network), {.network = network, .window_frames = Windows(300)}).ok());
  }
  ASSERT_TRUE(driver.Push('X', {.network = 0, .window_frames = Windows(300), .caller = 1}).ok());
  int64_t others = 0;
  for (int i = 0; i < 20; ++i) others += CountOf('X', driver.Take());
  EXPECT_NEAR(static_cast<double>(others), 100, 10);
}

TEST(BatchOrderTest, NetworksOfACallerShareByCost) {
  QueueDriver driver(Options(10));
  driver.Learn(0, 10, 10);
  driver.Learn(1, 10, 90);
  ASSERT_TRUE(driver.Push('A', {.network = 0, .window_frames = Windows(300)}).ok());
  ASSERT_TRUE(driver.Push('B', {.network = 1, .window_frames = Windows(300)}).ok());
  int64_t slow = 0;
  for (int i = 0; i < 20; ++i) slow += CountOf('B', driver.Take());
  EXPECT_NEAR(static_cast<double>(slow), 20, 10);
}

TEST(BatchOrderTest, ALongCallEndsHoweverManyShortOnesCome) {
  QueueDriver driver(Options(10));
  driver.Learn(0, 10, 100);  // 10 ms a frame.
  ASSERT_TRUE(driver.Push('A', 20).ok());
  ASSERT_TRUE(driver.Push('b', 10).ok());
  int batches = 0;
  for (int64_t taken = 0; taken < 20; ++batches) {
    ASSERT_LE(batches, 10 + 20) << "a second of others' work, then a tenth of a batch each time";
    const std::string batch = driver.Take();
    EXPECT_LE(CountOf('A', batch), 2);
    taken += CountOf('A', batch);
    for (int64_t i = 10 - CountOf('A', batch); i > 0; --i) {
      // As much comes as has run; whoever has run before is gone.
      ASSERT_TRUE(driver.Push(static_cast<char>(128 + (batches * 10 + i) % 100), 1).ok());
    }
  }
  EXPECT_GE(batches, 25) << "more than a tenth went to the long call";
}

TEST(BatchOrderTest, ACallPassesOnlyThoseThatStillEndInTime) {
  QueueDriver driver(Options(5));
  driver.Learn(0, 10, 100);
  // A is promised within 180 ms, and needs 100.
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(10), .deadline = At(225)}).ok());
  ASSERT_TRUE(driver.Push('B', 5).ok());
  ASSERT_TRUE(driver.Push('C', 4).ok());  // Before A, it would make 190.
  ASSERT_TRUE(driver.Push('D', 3).ok());  // 180 is in time.
  EXPECT_EQ(driver.Take(), "D0 D1 D2 B0 B1");
  EXPECT_EQ(driver.Take(), "B2 B3 B4 A0 A1");
  EXPECT_EQ(driver.Take(), "A2 A3 A4 A5 A6");
  EXPECT_EQ(driver.Take(), "A7 A8 A9 C0 C1");
}

TEST(BatchOrderTest, ACallKeepsItsPlaceThoughLessOfItIsLeft) {
  QueueDriver driver(Options(5));
  driver.Learn(0, 10, 100);
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(10), .deadline = At(225)}).ok());
  ASSERT_TRUE(driver.Reserve('C', {.window_frames = Windows(9)}).ok());  // Before A, it would make 190.
  ASSERT_TRUE(driver.Bring('C', 8, true));
  EXPECT_EQ(driver.Take(), "A0 A1 A2 A3 A4");
}

TEST(BatchOrderTest, ABatchThatEndsACallIsAtMostDoubledByOthers) {
  BatchQueueOptions options = Options(50);
  options.min_shared_frames = 4;
  QueueDriver driver(options);
  ASSERT_TRUE(driver.Push('A', 200).ok());
  EXPECT_EQ(CountOf('A', driver.Take()), 50) << "nothing ends";
  ASSERT_TRUE(driver.Push('B', 3).ok());
  EXPECT_EQ(driver.Take(), "B0 B1 B2 A50 A51 A52");
  ASSERT_TRUE(driver.Push('C', 1).ok());
  EXPECT_EQ(driver.Take(), "C0 A53 A54 A55") << "smaller batches run less well";
}

TEST(BatchOrderTest, ABatchIsWorthItsOwnCost) {
  QueueDriver driver(Options(500));
  // 10 ms a frame and 20 ms a batch: 32 frames take 16 times as long as a batch costs.
  for (int i = 0; i < 10; ++i) {
    driver.Learn(0, 10, 120);
    driver.Learn(0, 40, 420);
  }
  ASSERT_TRUE(driver.Push('A', 1000).ok());
  ASSERT_TRUE(driver.Push('B', 1).ok());
  EXPECT_NEAR(static_cast<double>(CountOf('A', driver.Take())), 15 * 2 - 1, 2);
}

TEST(BatchOrderTest, ABatchThatEndsACallersWorkIsAtMostDoubledByCallersThatGoOn) {
  QueueDriver driver(Options(30));
  for (char letter = 'a'; letter < 'a' + 20; ++letter) {
    ASSERT_TRUE(driver.Push(letter, {.window_frames = Windows(2), .caller = 1}).ok());
  }
  ASSERT_TRUE(driver.Push('B', {.window_frames = Windows(3), .caller = 2}).ok());
  const std::string batch = driver.Take();
  EXPECT_EQ(CountOf('B', batch), 3);
  EXPECT_LE(CountOf(' ', batch) + 1, 8);
}

TEST(BatchOrderTest, CallersThatAllEndShareAFullBatch) {
  QueueDriver driver(Options(30));
  for (int caller = 0; caller < 10; ++caller) {
    ASSERT_TRUE(driver.Push(static_cast<char>('a' + caller), {.window_frames = Windows(3), .caller = caller}).ok());
  }
  EXPECT_EQ(CountOf(' ', driver.Take()) + 1, 30);
}

}  // namespace
}  // namespace hearwire
