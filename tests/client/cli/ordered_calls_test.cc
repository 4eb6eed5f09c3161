#include "client/cli/ordered_calls.h"

#include <deque>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hearwire::cli {
namespace {

using ::testing::ElementsAre;

// Calls that are finished when the test says so.
struct Calls {
  std::deque<std::pair<size_t, Done<int>>> running;
  std::vector<size_t> started;
  std::vector<int> taken;

  void Finish(size_t place) {
    auto [index, done] = std::move(running[place]);
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(place));
    done(static_cast<int>(index) * 10);
  }
};

TEST(RunInOrderTest, TakesRepliesInTheOrderOfTheCalls) {
  Calls calls;
  const bool whole = RunInOrder<int>(
      6, 3, {},
      [&](size_t index, Done<int> done) {
        calls.running.emplace_back(index, std::move(done));
        if (calls.running.size() == 3) {
          while (!calls.running.empty()) calls.Finish(calls.running.size() - 1);  // The last comes first.
        }
      },
      [&](size_t index, const absl::StatusOr<int>& reply) {
        EXPECT_EQ(*reply, static_cast<int>(index) * 10);
        calls.taken.push_back(*reply);
        return true;
      });
  EXPECT_TRUE(whole);
  EXPECT_THAT(calls.taken, ElementsAre(0, 10, 20, 30, 40, 50));
}

TEST(RunInOrderTest, HasNoMoreInFlightAndInMemoryThanAsked) {
  Calls calls;
  Done<int> first;
  RunInOrder<int>(
      100, 2, {},
      [&](size_t index, Done<int> done) {
        calls.started.push_back(index);
        // The first call is slow; the others are finished at once, until nothing else may start.
        if (index == 0) {
          first = std::move(done);
          return;
        }
        done(0);
        if (index == 7) first(0);
        EXPECT_TRUE(index <= 7 || !calls.taken.empty()) << "more than four times two calls wait for the first";
      },
      [&](size_t, const absl::StatusOr<int>&) {
        calls.taken.push_back(0);
        return true;
      });
  EXPECT_EQ(calls.taken.size(), 100u);
}

TEST(RunInOrderTest, EndsWhenTakeSaysSo) {
  int started = 0;
  EXPECT_FALSE(RunInOrder<int>(
      100, 1, {},
      [&](size_t, Done<int> done) {
        ++started;
        done(0);
      },
      [](size_t index, const absl::StatusOr<int>&) { return index < 2; }));
  EXPECT_EQ(started, 3);
}

TEST(RunInOrderTest, EndsWhenStoppedThoughACallHangs) {
  std::stop_source stop;
  EXPECT_FALSE(RunInOrder<int>(
      3, 1, stop.get_token(), [&](size_t, const Done<int>&) { stop.request_stop(); },
      [](size_t, const absl::StatusOr<int>&) { return true; }));
}

}  // namespace
}  // namespace hearwire::cli
