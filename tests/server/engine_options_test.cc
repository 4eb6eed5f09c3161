#include "server/engine_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/server/batching/queue_driver.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Machine kMachine{4, int64_t{16} << 30, {0, 1, 2, 3}};

// Windows of the batches that idle workers take one after the other, of calls with so many windows of so many frames.
std::vector<size_t> Batches(const BatcherOptions& options, const std::vector<int>& calls, int frames) {
  QueueDriver driver(options.queue, options.workers);
  char letter = 'A';
  for (const int windows : calls) {
    EXPECT_TRUE(driver.Push(letter++, {.window_frames = std::vector<int>(static_cast<size_t>(windows), frames)}).ok());
  }
  std::vector<size_t> batches;
  Batch batch;
  for (int i = 0; i < options.workers; ++i) {
    if (driver.queue().TakeBatch(At(0), false, &batch, driver.dropped())) batches.push_back(batch.windows.size());
  }
  return batches;
}

TEST(MakeBatcherOptionsTest, DividesWhatWaitsOverTheWorkersOfTheCpu) {
  const BatcherOptions options = MakeBatcherOptions(kMachine, "cpu", {});
  EXPECT_EQ(options.workers, 4);
  EXPECT_THAT(options.worker_cpus, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(options.answer_threads, 0);
  EXPECT_EQ(options.queue.max_batch_frames, 4096);
  EXPECT_EQ(options.queue.max_batch_time, absl::Milliseconds(5));
  EXPECT_THAT(Batches(options, {201}, 16), ElementsAre(51, 50, 50, 50));
  EXPECT_THAT(Batches(options, {4}, 1000), ElementsAre(1, 1, 1, 1));
}

TEST(MakeBatcherOptionsTest, KeepsWhatWaitsTogetherOnCuda) {
  const BatcherOptions options = MakeBatcherOptions(kMachine, "cuda:0", {});
  EXPECT_EQ(options.workers, 2) << "one feeds the next batch while the other's runs";
  EXPECT_THAT(options.worker_cpus, IsEmpty());
  EXPECT_EQ(options.answer_threads, 2);
  EXPECT_EQ(MakeBatcherOptions({1, 0, {0}}, "cuda:0", {}).answer_threads, 1);
  EXPECT_EQ(options.queue.max_batch_frames, 32768);
  EXPECT_EQ(options.queue.max_batch_time, absl::InfiniteDuration());
  EXPECT_THAT(Batches(options, {201}, 16), ElementsAre(201));
  EXPECT_THAT(Batches(options, {201, 201, 40}, 16), ElementsAre(442));
  EXPECT_THAT(Batches(options, {32}, 1000), ElementsAre(32));
}

TEST(MakeBatcherOptionsTest, FillsABatchOnCudaBeforeItBeginsTheNext) {
  const BatcherOptions options = MakeBatcherOptions(kMachine, "cuda:0", {});
  EXPECT_THAT(Batches(options, {2500}, 16), ElementsAre(2048, 452));
  EXPECT_THAT(Batches(options, {5000}, 16), ElementsAre(2048, 2048));
}

TEST(MakeBatcherOptionsTest, TakesWhatTheOptionsSay) {
  ServerOptions options;
  options.max_batch_frames = 500;
  options.max_queued_frames = 9000;
  options.max_queue_delay = absl::Milliseconds(2);
  options.max_queue_time = absl::Seconds(3);
  for (const char* device : {"cpu", "cuda:0"}) {
    const BatcherOptions batching = MakeBatcherOptions(kMachine, device, options);
    EXPECT_EQ(batching.queue.max_batch_frames, 500) << device;
    EXPECT_EQ(batching.queue.max_queued_frames, 9000) << device;
    EXPECT_EQ(batching.queue.max_queue_delay, absl::Milliseconds(2)) << device;
    EXPECT_EQ(batching.queue.max_queue_time, absl::Seconds(3)) << device;
  }
}

}  // namespace
}  // namespace hearwire
