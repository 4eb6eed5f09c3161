#include "server/concurrency/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {
namespace {

TEST(ThreadPoolTest, OneThreadRunsTasksInTheirOrder) {
  std::vector<int> order;
  {
    ThreadPool pool("test", 1);
    for (int i = 0; i < 100; ++i) pool.Schedule([&order, i] { order.push_back(i); });
  }
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(ThreadPoolTest, ThreadsRunTasksAtOnce) {
  // Three tasks that wait for one another: with fewer threads they would wait for ever.
  Mutex mu;
  CondVar changed;
  int here = 0;
  std::set<std::thread::id> threads;
  {
    ThreadPool pool("test", 3);
    for (int i = 0; i < 3; ++i) {
      pool.Schedule([&] {
        MutexLock lock(&mu);
        ++here;
        threads.insert(std::this_thread::get_id());
        changed.SignalAll();
        while (here < 3) changed.WaitUntil(&mu, SteadyTime::InfiniteFuture());
      });
    }
  }
  EXPECT_EQ(threads.size(), 3u);
}

TEST(ThreadPoolTest, ItsEndRunsWhatWasScheduledAndWhatThatSchedules) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool("test", 2);
    for (int i = 0; i < 50; ++i) {
      pool.Schedule([&] {
        ++ran;
        pool.Schedule([&] {
          ++ran;
          pool.Schedule([&] { ++ran; });
        });
      });
    }
  }
  EXPECT_EQ(ran, 150);
}

TEST(ThreadPoolTest, ATaskIsDestroyedWhenItHasRun) {
  Mutex mu;
  CondVar changed;
  bool second_runs = false;
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = owned;
  ThreadPool pool("test", 1);
  pool.Schedule([owned = std::move(owned)] {});
  pool.Schedule([&] {
    MutexLock lock(&mu);
    second_runs = true;
    changed.SignalAll();
  });
  MutexLock lock(&mu);
  while (!second_runs) changed.WaitUntil(&mu, SteadyTime::InfiniteFuture());
  EXPECT_TRUE(watched.expired());
}

TEST(ThreadPoolTest, ThreadsBearTheNameCutToWhatTheSystemAllows) {
  std::string seen;
  {
    ThreadPool pool("a-name-that-is-too-long", 1);
    pool.Schedule([&seen] {
      char name[32] = "";
      pthread_getname_np(pthread_self(), name, sizeof(name));
      seen = name;
    });
  }
  EXPECT_EQ(seen, "a-name-that-is-");
}

TEST(ThreadPoolTest, HasAtLeastOneThread) {
  bool ran = false;
  {
    ThreadPool("test", 0).Schedule([&ran] { ran = true; });
  }
  EXPECT_TRUE(ran);
}

TEST(ThreadPoolDeathTest, ATaskThatThrowsEndsTheProgram) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH({ ThreadPool("test", 1).Schedule([] { throw 1; }); }, "");
}

}  // namespace
}  // namespace hearwire
