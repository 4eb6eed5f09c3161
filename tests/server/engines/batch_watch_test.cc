#include "server/engines/batch_watch.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/fixtures/fake_embedder.h"

namespace hearwire {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(10);

TEST(BatchWatchTest, FindsTheBatchThatRunsForLongest) {
  const SteadyTime start = SteadyTime::Now();
  BatchWatch watch;
  watch.Arm(start);
  EXPECT_FALSE(watch.FindOverdue(start + absl::Hours(1), kLimit).has_value()) << "none runs";
  const auto first = watch.Begin({.network = 1, .device = "cpu", .windows = 3, .since = start});
  const auto second = watch.Begin({.network = 2, .device = "cpu", .windows = 4, .since = start + absl::Seconds(1)});
  EXPECT_FALSE(watch.FindOverdue(start + kLimit, kLimit).has_value());
  std::optional<BatchWatch::Batch> overdue = watch.FindOverdue(start + absl::Seconds(12), kLimit);
  ASSERT_TRUE(overdue.has_value());
  EXPECT_EQ(overdue->network, 1);
  EXPECT_EQ(overdue->windows, 3u);
  watch.End(first);
  overdue = watch.FindOverdue(start + absl::Seconds(12), kLimit);
  ASSERT_TRUE(overdue.has_value());
  EXPECT_EQ(overdue->network, 2);
  watch.End(second);
  EXPECT_FALSE(watch.FindOverdue(start + absl::Hours(1), kLimit).has_value());
}

TEST(BatchWatchTest, LeavesOutWhatBeganBeforeItWasArmed) {
  const SteadyTime start = SteadyTime::Now();
  BatchWatch watch;
  watch.Begin({.network = 1, .device = "cuda:0", .windows = 1, .since = start});
  EXPECT_FALSE(watch.FindOverdue(start + absl::Hours(1), kLimit).has_value());
  watch.Arm(start + absl::Seconds(1));
  EXPECT_FALSE(watch.FindOverdue(start + absl::Hours(1), kLimit).has_value());
  watch.Begin({.network = 2, .device = "cpu", .windows = 1, .since = start + absl::Seconds(2)});
  const std::optional<BatchWatch::Batch> overdue = watch.FindOverdue(start + absl::Hours(1), kLimit);
  ASSERT_TRUE(overdue.has_value());
  EXPECT_EQ(overdue->network, 2);
}

TEST(BatchWatchTest, NamesDeviceAndNetworkOfABatchThatRuns) {
  auto fake = std::make_unique<FakeBackend>("fake", "cuda:7");
  const auto watch = std::make_shared<BatchWatch>();
  watch->Arm(SteadyTime::InfinitePast());
  std::optional<BatchWatch::Batch> seen;
  fake->set_before_embed([&](int, absl::Span<const WindowRequest>) {
    seen = watch->FindOverdue(SteadyTime::Now() + absl::Hours(1), kLimit);
    return absl::InternalError("no rows are wanted");
  });
  const std::unique_ptr<Backend> backend = WatchBackend(std::move(fake), watch);
  ASSERT_EQ(*backend->AddNetwork(nullptr, {}), 0);
  ASSERT_EQ(*backend->AddNetwork(nullptr, {}), 1);
  const float frame = 0;
  const Readout readout;
  float row[kFakeRowSize];
  WindowRequest window{.window = {}, .readouts = {&readout, 1}, .row = row};
  window.window.mels = 1;
  window.window.runs[0] = {&frame, 1};
  EXPECT_TRUE(absl::IsInternal((*backend->NewEmbedder())->Embed(1, {&window, 1})));
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->network, 1);
  EXPECT_EQ(seen->device, "cuda:7");
  EXPECT_FALSE(watch->FindOverdue(SteadyTime::Now() + absl::Hours(1), kLimit).has_value()) << "it has ended";
}

}  // namespace
}  // namespace hearwire
