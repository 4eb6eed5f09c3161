#include "server/concurrency/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {
namespace {

TEST(MutexTest, KeepsThreadsApart) {
  Mutex mu;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20000; ++j) {
        MutexLock lock(&mu);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 80000);
}

TEST(CondVarTest, WaitsUntilItIsSignalled) {
  Mutex mu;
  CondVar changed;
  bool ready = false;
  std::thread other([&] {
    MutexLock lock(&mu);
    ready = true;
    changed.Signal();
  });
  {
    MutexLock lock(&mu);
    while (!ready) changed.WaitUntil(&mu, SteadyTime::InfiniteFuture());
  }
  other.join();
}

// One that waits for ever is woken by the test's end of patience, and has not ended by itself.
TEST(CondVarTest, WaitsNoLongerThanTheDeadline) {
  for (const SteadyTime deadline :
       {SteadyTime::Now() + absl::Milliseconds(20), SteadyTime::Now(), SteadyTime(), SteadyTime::InfinitePast()}) {
    Mutex mu;
    CondVar never;
    bool give_up = false;
    std::promise<bool> by_itself;
    std::future<bool> ended = by_itself.get_future();
    std::thread waiting([&] {
      MutexLock lock(&mu);
      while (SteadyTime::Now() < deadline && !give_up) never.WaitUntil(&mu, deadline);
      if (!give_up) never.WaitUntil(&mu, deadline);  // At once: it has passed.
      by_itself.set_value(!give_up);
    });
    const bool in_time = ended.wait_for(std::chrono::seconds(30)) == std::future_status::ready;
    {
      MutexLock lock(&mu);
      give_up = true;
      never.SignalAll();
    }
    waiting.join();
    EXPECT_TRUE(in_time && ended.get());
  }
}

// A deadline ahead is waited for: neither is the caller kept busy nor the mutex.
TEST(CondVarTest, WaitsUntilTheDeadlineAndReleasesTheMutexMeanwhile) {
  Mutex mu;
  CondVar never;
  MutexLock lock(&mu);
  const SteadyTime deadline = SteadyTime::Now() + absl::Milliseconds(200);
  bool taken = false;
  std::thread other([&] {
    MutexLock other_lock(&mu);
    taken = true;
  });
  int wakes = 0;
  for (; SteadyTime::Now() < deadline; ++wakes) never.WaitUntil(&mu, deadline);
  EXPECT_TRUE(taken);
  EXPECT_LT(wakes, 20) << "it may wake for no reason, but it does not spin";
  mu.Unlock();
  other.join();
  mu.Lock();
}

TEST(CondVarTest, SignalAllWakesEveryone) {
  Mutex mu;
  CondVar changed;
  bool ready = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      MutexLock lock(&mu);
      while (!ready) changed.WaitUntil(&mu, SteadyTime::InfiniteFuture());
    });
  }
  {
    MutexLock lock(&mu);
    ready = true;
    changed.SignalAll();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace hearwire
