#include "server/reloader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>

#include "tests/fixtures/fake_embedder.h"

namespace hearwire {
namespace {

// Asks, and returns what is told.
std::future<absl::Status> Ask(Reloader* reloader) {
  auto told = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> status = told->get_future();
  reloader->Request([told](const Reloader::Result& result) { told->set_value(result.status()); });
  return status;
}

TEST(ReloaderTest, TellsWhatCameOfIt) {
  int round = 0;
  Reloader reloader([&]() -> Reloader::Result {
    if (++round == 2) return absl::InvalidArgumentError("mn04_as.pt: not a zip");
    if (round == 3) throw std::bad_alloc();
    return ReloadReport{.tokens = true};
  });
  EXPECT_TRUE(Ask(&reloader).get().ok());
  EXPECT_EQ(Ask(&reloader).get(), absl::InvalidArgumentError("mn04_as.pt: not a zip"));
  EXPECT_TRUE(absl::IsResourceExhausted(Ask(&reloader).get()));
  EXPECT_TRUE(Ask(&reloader).get().ok());
}

TEST(ReloaderTest, OneReloadAnswersAllWhoAskedBeforeItBegan) {
  Gate gate;
  std::atomic<int> reloads = 0;
  Reloader reloader([&] {
    ++reloads;
    gate.Pass();
    return ReloadReport{};
  });
  std::future<absl::Status> first = Ask(&reloader);
  gate.WaitForArrivals(1);
  // The one that runs may have read its files already.
  std::future<absl::Status> second = Ask(&reloader), third = Ask(&reloader);
  gate.Open();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_TRUE(third.get().ok());
  EXPECT_EQ(reloads, 2);
}

TEST(ReloaderTest, LetsOnlySoManyWait) {
  Gate gate;
  Reloader reloader([&] {
    gate.Pass();
    return ReloadReport{};
  });
  std::future<absl::Status> running = Ask(&reloader);
  gate.WaitForArrivals(1);
  std::vector<std::future<absl::Status>> waiting;
  for (size_t i = 0; i < Reloader::kMostWaiting; ++i) waiting.push_back(Ask(&reloader));
  EXPECT_TRUE(absl::IsResourceExhausted(Ask(&reloader).get()));
  gate.Open();
  for (std::future<absl::Status>& status : waiting) EXPECT_TRUE(status.get().ok());
}

TEST(ReloaderTest, ReloadsNothingOnceItIsStopped) {
  Gate gate;
  std::atomic<int> reloads = 0;
  Reloader reloader([&] {
    ++reloads;
    gate.Pass();
    return ReloadReport{};
  });
  std::future<absl::Status> running = Ask(&reloader);
  gate.WaitForArrivals(1);
  std::future<absl::Status> waiting = Ask(&reloader);
  reloader.Stop();
  EXPECT_TRUE(absl::IsUnavailable(waiting.get()));
  EXPECT_TRUE(absl::IsUnavailable(Ask(&reloader).get()));
  gate.Open();
  EXPECT_TRUE(running.get().ok());
  EXPECT_EQ(reloads, 1);
}

}  // namespace
}  // namespace hearwire
