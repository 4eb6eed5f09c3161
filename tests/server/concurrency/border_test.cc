#include "server/concurrency/border.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>

#include "absl/status/statusor.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

TEST(BorderTest, ReturnsWhatTheWorkReturns) {
  EXPECT_TRUE(Contain([] {}).ok());
  EXPECT_EQ(Contain([] { return absl::NotFoundError("x"); }), absl::NotFoundError("x"));
  EXPECT_EQ(*Contain([]() -> absl::StatusOr<int> { return 3; }), 3);
}

TEST(BorderTest, TellsMemoryFromOtherExceptions) {
  EXPECT_TRUE(absl::IsResourceExhausted(Contain([] { throw std::bad_alloc(); })));
  EXPECT_TRUE(absl::IsResourceExhausted(Contain([] { throw std::length_error("vector"); })));
  const auto no_thread = [] {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  };
  EXPECT_TRUE(absl::IsResourceExhausted(Contain(no_thread)));
  const absl::Status other = Contain([] { throw std::runtime_error("its text"); });
  EXPECT_TRUE(absl::IsInternal(other));
  EXPECT_THAT(std::string(other.message()), HasSubstr("its text"));
  EXPECT_TRUE(absl::IsInternal(Contain([] { throw 1; })));
  const auto value = [](bool fail) -> absl::StatusOr<int> {
    if (fail) throw std::bad_alloc();
    return 1;
  };
  EXPECT_TRUE(absl::IsResourceExhausted(Contain([&] { return value(true); }).status()));
}

// The system's refusal is played by a copy of `run` that throws.
TEST(BorderTest, EndsTheThreadsItHasStartedWhereOneIsRefused) {
  struct Run {
    explicit Run(std::atomic<bool>* closed) : closed(closed) {}
    Run(const Run& other) : closed(other.closed), left(other.left), ended(other.ended) {
      if (--*left < 0) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    void operator()(int) const {
      while (!*closed) std::this_thread::yield();
      ++*ended;
    }
    std::atomic<bool>* closed;
    std::shared_ptr<std::atomic<int>> left = std::make_shared<std::atomic<int>>(1000);
    std::shared_ptr<std::atomic<int>> ended = std::make_shared<std::atomic<int>>(0);
  };
  std::atomic<bool> closed = false;
  const Run original(&closed);
  const std::function<void(int)> run = original;
  *original.left = 2;
  std::vector<std::thread> threads;
  EXPECT_THROW(StartThreads(
                   3, run, [&] { closed = true; }, &threads),
               std::system_error);
  EXPECT_TRUE(threads.empty());
  EXPECT_GE(*original.ended, 1) << "those that were started have run to their end";
}

TEST(BorderTest, TriesThreadsAllAtOnce) {
  EXPECT_EQ(TryThreads(0), 0);
  EXPECT_EQ(TryThreads(20), 20);
}

}  // namespace
}  // namespace hearwire
