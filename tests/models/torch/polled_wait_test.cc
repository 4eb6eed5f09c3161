#include "models/torch/polled_wait.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace hearwire {
namespace {

using std::chrono::microseconds;

// A device that is done after some time, and a clock that only sleeping moves.
struct Wait {
  explicit Wait(microseconds done) {
    WaitUntil(
        [&] {
          ++questions;
          return now >= done;
        },
        [&](microseconds pause) { now += pause; }, [&] { return now; });
  }
  microseconds now{0};
  int questions = 0;
};

TEST(PolledWaitTest, ReturnsAtOnceWhenReady) {
  const Wait wait(microseconds(0));
  EXPECT_EQ(wait.questions, 1);
  EXPECT_EQ(wait.now, microseconds(0));
}

TEST(PolledWaitTest, IsLateByAnEighthAtMost) {
  for (int done = 1; done < 50'000; done += 7) {
    const Wait wait{microseconds(done)};
    ASSERT_LE(wait.now - microseconds(done), std::max(microseconds(20), microseconds(done / 8)));
    ASSERT_LE(wait.now - microseconds(done), microseconds(500));
  }
}

TEST(PolledWaitTest, AsksSeldom) {
  EXPECT_LE(Wait(microseconds(1'000)).questions, 30);
  EXPECT_LE(Wait(microseconds(1'000'000)).questions, 2'100);
}

TEST(PolledWaitTest, PassesFailuresOn) {
  EXPECT_THROW(WaitUntil([]() -> bool { throw std::runtime_error("lost"); }), std::runtime_error);
}

}  // namespace
}  // namespace hearwire
