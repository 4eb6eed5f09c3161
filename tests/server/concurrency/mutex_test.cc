#include "server/concurrency/mutex.h"

#include <gtest/gtest.h>

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

TEST(CondVarTest, WaitsNoLongerThanTheDeadline) {
  Mutex mu;
  CondVar never;
  MutexLock lock(&mu);
  const SteadyTime deadline = SteadyTime::Now() + absl::Milliseconds(20);
  while (SteadyTime::Now() < deadline) never.WaitUntil(&mu, deadline);
  for (const SteadyTime past : {SteadyTime::Now(), SteadyTime(), SteadyTime::InfinitePast()})
    never.WaitUntil(&mu, past);
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
