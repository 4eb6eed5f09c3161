// WorkAhead against a model that runs the work window by window.

#include "server/batching/work_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <vector>

namespace hearwire {
namespace {

SteadyTime At(int64_t milliseconds) { return SteadyTime() + absl::Milliseconds(milliseconds); }

// A frame of network n takes n + 1 milliseconds.
void LearnPaces(Workload* workload, int networks) {
  for (int n = 0; n < networks; ++n) workload->End(workload->Begin(n, 100, At(0)), At(100 * (n + 1)), true);
}

TEST(WorkAheadTest, AgreesWithASimulationOfTurns) {
  std::mt19937 random(5);
  const auto number = [&](int least, int most) { return std::uniform_int_distribution<int>(least, most)(random); };
  for (int round = 0; round < 300; ++round) {
    Workload workload(1);
    CallerShares shares;
    LearnPaces(&workload, 1);
    WorkAhead ahead(&workload, &shares, 4096, 256);
    std::vector<Work> all;
    const int callers = number(1, 4);
    for (int i = number(0, 12); i > 0; --i) {
      Work work{.caller = number(0, callers - 1), .frames = number(1, 50), .arrival = i};
      work.position = work.frames;
      ahead.Add(work);
      all.push_back(work);
    }
    const int own = number(1, 50);
    const Expectation expected = ahead.Expect(0, 0, own, own, At(100));
    EXPECT_EQ(expected.position, own) << "nobody has a deadline";

    // Frame by frame, caller by caller.
    std::map<int, int64_t> backlog;
    int64_t mine = own;
    for (const Work& work : all) {
      if (work.caller != 0) {
        backlog[work.caller] += work.frames;
      } else if (work.frames <= own) {
        mine += work.frames;
      }
    }
    int64_t time = 0;
    for (; mine > 0; --mine) {
      for (auto& [caller, left] : backlog) time += left > 0 ? (--left, 1) : 0;
      ++time;
    }
    EXPECT_EQ(expected.end, absl::Milliseconds(time)) << "round " << round;
    EXPECT_EQ(expected.own, absl::Milliseconds(own));
  }
}

TEST(WorkAheadTest, AHeavyCallerTakesItsWeightMeanwhile) {
  Workload workload(1);
  CallerShares shares;
  shares.SetWeight(1, 3);
  LearnPaces(&workload, 1);
  WorkAhead ahead(&workload, &shares, 4096, 256);
  ahead.Add({.caller = 1, .frames = 100, .position = 100});
  EXPECT_EQ(ahead.Expect(0, 0, 10, 10, At(100)).end, absl::Milliseconds(10 + 30));
}

TEST(WorkAheadTest, ChangesAndRemovalsCount) {
  Workload workload(1);
  CallerShares shares;
  LearnPaces(&workload, 2);
  WorkAhead ahead(&workload, &shares, 4096, 256);
  Work a{.network = 1, .frames = 10, .position = 10, .arrival = 1};
  const Work b{.network = 1, .frames = 10, .position = 10, .arrival = 2};
  ahead.Add(a);
  ahead.Add(b);
  EXPECT_EQ(ahead.Expect(1, 0, 10, 10, At(200)).start, absl::Milliseconds(40));
  ahead.Change(a, 7, 7);
  EXPECT_EQ(ahead.Expect(1, 0, 10, 10, At(200)).start, absl::Milliseconds(34));
  EXPECT_EQ(ahead.FramesOf(1), 17);
  a.frames = a.position = 7;
  ahead.Remove(a);
  EXPECT_EQ(ahead.Expect(1, 0, 10, 10, At(200)).start, absl::Milliseconds(20));
  ahead.Remove(b);
  EXPECT_EQ(ahead.FramesOf(1, 0), 0);
  EXPECT_EQ(ahead.Expect(1, 0, 10, 10, At(200)).start, absl::ZeroDuration());
}

TEST(WorkAheadTest, StandsBehindTheLastThatItMustNotPass) {
  Workload workload(1);
  CallerShares shares;
  LearnPaces(&workload, 1);
  WorkAhead ahead(&workload, &shares, 4096, 256);
  const auto add = [&](int64_t frames, int64_t promise_ms, int64_t arrival) {
    ahead.Add({.frames = frames, .position = frames, .arrival = arrival, .promise = promise_ms * 1'000'000});
  };
  add(10, 100 + 15, 1);  // Ends at 10.
  add(20, 100 + 31, 2);  // At 30.
  add(30, 100 + 90, 3);  // At 60.
  EXPECT_EQ(ahead.Expect(0, 0, 1, 1, At(100)).position, 1);
  const Expectation behind_two = ahead.Expect(0, 0, 2, 2, At(100));
  EXPECT_EQ(behind_two.position, 20);
  EXPECT_EQ(behind_two.start, absl::Milliseconds(30));
  EXPECT_EQ(ahead.Expect(0, 0, 29, 29, At(100)).position, 29) << "it passes the last only";
  EXPECT_EQ(ahead.Expect(0, 0, 29, 29, At(102)).position, 30) << "time has passed, and nothing has run";
}

// What a refusal costs with a thousand calls waiting; a search in pointers would take ten times as long.
TEST(WorkAheadTest, AThousandCallsCostMicroseconds) {
  Workload workload(1);
  CallerShares shares;
  LearnPaces(&workload, 1);
  WorkAhead ahead(&workload, &shares, 4096, 256);
  for (int i = 0; i < 1024; ++i) ahead.Add({.frames = 656, .position = 656, .arrival = i, .promise = int64_t{1} << 60});
  const auto start = std::chrono::steady_clock::now();
  constexpr int kTimes = 1000;
  for (int i = 0; i < kTimes; ++i) EXPECT_EQ(ahead.Expect(0, 0, 656, 41, At(100)).position, 656);
  const auto time = std::chrono::steady_clock::now() - start;
  EXPECT_LT(std::chrono::duration<double>(time).count() / kTimes, 200e-6);
}

}  // namespace
}  // namespace hearwire
