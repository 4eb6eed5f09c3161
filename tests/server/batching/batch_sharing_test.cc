// How BatchQueue divides what waits among several workers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "server/batching/batch_queue.h"
#include "tests/server/batching/queue_driver.h"

namespace hearwire {
namespace {

using testing::ElementsAre;

BatchQueueOptions Options() {
  BatchQueueOptions options;
  options.max_batch_frames = 4096;
  options.max_queued_frames = 1 << 24;
  options.min_shared_frames = 256;
  options.max_queue_time = absl::InfiniteDuration();
  return options;
}

std::vector<int> Windows(int count, int frames) { return std::vector<int>(static_cast<size_t>(count), frames); }

// The windows of the batches that idle workers get one after the other at the same moment.
std::vector<int> WindowsOfBatchesTakenAtOnce(QueueDriver* driver, int workers) {
  std::vector<int> windows;
  Batch batch;
  for (int i = 0; i < workers && driver->queue().TakeBatch(At(0), false, &batch, driver->dropped()); ++i) {
    windows.push_back(static_cast<int>(batch.windows.size()));
  }
  return windows;
}

struct Simulation {
  double seconds = 0;
  int batches = 0;
  int64_t smallest_frames = INT64_MAX;
};

// Workers that take batches until none is left; a frame of network n takes seconds_per_frame[n], in company of nobody.
Simulation Simulate(QueueDriver* driver, int workers, const std::vector<double>& seconds_per_frame) {
  struct Worker {
    double free_at = 0;
    bool busy = false;
    Batch batch;
  };
  std::vector<Worker> all(static_cast<size_t>(workers));
  Simulation result;
  double now = 0;
  while (true) {
    for (Worker& worker : all) {
      if (worker.busy || !driver->queue().TakeBatch(At(now * 1000), false, &worker.batch, driver->dropped())) continue;
      worker.busy = true;
      worker.free_at =
          now + static_cast<double>(worker.batch.frames) * seconds_per_frame[static_cast<size_t>(worker.batch.network)];
      ++result.batches;
      result.smallest_frames = std::min(result.smallest_frames, worker.batch.frames);
    }
    const auto next = std::min_element(all.begin(), all.end(), [](const Worker& a, const Worker& b) {
      return (a.busy ? a.free_at : 1e300) < (b.busy ? b.free_at : 1e300);
    });
    if (!next->busy) return result;
    now = result.seconds = next->free_at;
    next->busy = false;
    driver->queue().FinishBatch(next->batch, At(now * 1000), true);
  }
}

TEST(BatchSharingTest, SaysWhetherThereIsWorkForTwo) {
  const auto has_work_for_two = [](const std::vector<std::vector<int>>& calls) {
    QueueDriver driver(Options(), 2);
    char letter = 'A';
    for (const std::vector<int>& frames : calls) EXPECT_TRUE(driver.Push(letter++, {.window_frames = frames}).ok());
    return driver.queue().HasWorkForTwo();
  };
  EXPECT_FALSE(has_work_for_two({}));
  EXPECT_FALSE(has_work_for_two({{1000}})) << "a window cannot be cut";
  EXPECT_FALSE(has_work_for_two({{256, 255}}));
  EXPECT_TRUE(has_work_for_two({{256, 256}}));
  EXPECT_TRUE(has_work_for_two({{256}, {256}}));

  QueueDriver driver(Options(), 2);
  ASSERT_TRUE(driver.Push('A', {.window_frames = {1000, 1000}}).ok());
  EXPECT_EQ(driver.Take(), "A0");
  EXPECT_FALSE(driver.queue().HasWorkForTwo()) << "one window is left";
}

TEST(BatchSharingTest, IdleWorkersDivideACallEvenly) {
  for (const auto& [workers, windows, expected] : std::vector<std::tuple<int, int, std::vector<int>>>{
           {1, 64, {64}}, {2, 64, {32, 32}}, {2, 65, {33, 32}}, {3, 64, {22, 21, 21}}, {4, 64, {16, 16, 16, 16}}}) {
    QueueDriver driver(Options(), workers);
    ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(windows, 16)}).ok());
    EXPECT_EQ(WindowsOfBatchesTakenAtOnce(&driver, workers), expected) << workers << " workers, " << windows;
  }
}

TEST(BatchSharingTest, AllIdleWorkersGetTheirPartOfAFullBatchThoughCompanyIsExpected) {
  QueueDriver driver(Options(), 4);
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(256, 16)}).ok());
  Batch batch;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(driver.queue().TakeBatch(At(0), true, &batch, driver.dropped())) << i;
    EXPECT_EQ(batch.windows.size(), 64u);
  }
}

TEST(BatchSharingTest, CutsNothingWhereTheLeastIsAFullBatch) {
  BatchQueueOptions options = Options();
  options.min_shared_frames = options.max_batch_frames;
  QueueDriver driver(options, 2);
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(201, 17)}).ok());
  EXPECT_FALSE(driver.queue().HasWorkForTwo());
  EXPECT_THAT(WindowsOfBatchesTakenAtOnce(&driver, 2), ElementsAre(201));
  ASSERT_TRUE(driver.Push('B', {.window_frames = Windows(600, 16)}).ok());
  EXPECT_TRUE(driver.queue().HasWorkForTwo()) << "two full batches";
  EXPECT_THAT(WindowsOfBatchesTakenAtOnce(&driver, 3), ElementsAre(256, 256, 88));
}

TEST(BatchSharingTest, ScenesGoOnePerWorker) {
  QueueDriver driver(Options(), 4);
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(4, 1000)}).ok());
  EXPECT_THAT(WindowsOfBatchesTakenAtOnce(&driver, 4), ElementsAre(1, 1, 1, 1));
}

TEST(BatchSharingTest, DoesNotCutSmallBatchesForIdleWorkers) {
  QueueDriver driver(Options(), 4);
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(31, 16)}).ok());
  EXPECT_THAT(WindowsOfBatchesTakenAtOnce(&driver, 4), ElementsAre(31));
  ASSERT_TRUE(driver.Push('B', {.window_frames = Windows(40, 16)}).ok());
  EXPECT_THAT(WindowsOfBatchesTakenAtOnce(&driver, 3), ElementsAre(16, 24));
}

TEST(BatchSharingTest, FullBatchesWhileThereIsPlenty) {
  QueueDriver driver(Options(), 2);
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(2000, 16)}).ok());
  EXPECT_THAT(WindowsOfBatchesTakenAtOnce(&driver, 2), ElementsAre(256, 256));
}

TEST(BatchSharingTest, AllWorkersEndTogether) {
  for (const int workers : {1, 2, 3, 4, 8, 16}) {
    for (const int windows : {64, 300, 768, 1000, 5000, 72000}) {
      QueueDriver driver(Options(), workers);
      ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(windows, 16)}).ok());
      const double frames = 16.0 * windows;
      const Simulation run = Simulate(&driver, workers, {0.001});
      // The best is frames / workers; batches of at least 256 frames allow one of them more.
      EXPECT_LE(run.seconds, 0.001 * (frames / workers + 256 + 16)) << workers << " workers, " << windows << " windows";
      EXPECT_LE(run.batches, frames / 4096 + 4 * workers) << workers << " workers, " << windows << " windows";
      EXPECT_GE(run.smallest_frames, std::min<int64_t>(static_cast<int64_t>(frames), 240))
          << workers << " workers, " << windows << " windows";
    }
  }
}

TEST(BatchSharingTest, AWorkerThatIsBusyForLongGetsNoShare) {
  QueueDriver driver(Options(), 3);
  Batch batch;
  // The pace becomes known: a frame a millisecond.
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(100, 1)}).ok());
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &batch, driver.dropped()));
  driver.queue().FinishBatch(batch, At(100), true);

  ASSERT_TRUE(driver.Push('B', {.window_frames = {4000}}).ok());
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &batch, driver.dropped()));
  ASSERT_TRUE(driver.Push('C', {.window_frames = Windows(64, 16)}).ok());
  EXPECT_THAT(WindowsOfBatchesTakenAtOnce(&driver, 2), ElementsAre(32, 32));
}

TEST(BatchSharingTest, AWorkerThatIsFreeSoonGetsItsShare) {
  QueueDriver driver(Options(), 2);
  Batch first, second;
  ASSERT_TRUE(driver.Push('A', {.window_frames = Windows(100, 1)}).ok());
  ASSERT_TRUE(driver.queue().TakeBatch(At(0), false, &first, driver.dropped()));
  driver.queue().FinishBatch(first, At(100), true);

  ASSERT_TRUE(driver.Push('B', {.window_frames = {1000}}, 100).ok());
  ASSERT_TRUE(driver.queue().TakeBatch(At(100), false, &first, driver.dropped()));
  ASSERT_TRUE(driver.Push('C', {.window_frames = Windows(100, 16)}, 1000).ok());
  // 100 ms of B are left, so C is divided as 850 and 750.
  ASSERT_TRUE(driver.queue().TakeBatch(At(1000), false, &second, driver.dropped()));
  EXPECT_EQ(second.windows.size(), 54u);
}

TEST(BatchSharingTest, NetworksOfDifferentPaceEndTogether) {
  QueueDriver driver(Options(), 2);
  // Learn both paces.
  ASSERT_TRUE(driver.Push('A', {.network = 0, .window_frames = Windows(100, 16)}).ok());
  ASSERT_TRUE(driver.Push('B', {.network = 1, .window_frames = Windows(100, 16)}).ok());
  Simulate(&driver, 2, {0.001, 0.1});

  ASSERT_TRUE(driver.Push('C', {.network = 0, .window_frames = Windows(2000, 16)}).ok());
  ASSERT_TRUE(driver.Push('D', {.network = 1, .window_frames = Windows(200, 16)}).ok());
  const Simulation run = Simulate(&driver, 2, {0.001, 0.1});
  EXPECT_LE(run.seconds, 1.1 * (32000 * 0.001 + 3200 * 0.1) / 2);
}

}  // namespace
}  // namespace hearwire
