#include "server/concurrency/border.h"

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// The texts of memory are short: strings that need no memory of their own.
absl::Status StatusOfException() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::length_error&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) return absl::InternalError(error.what());
    return absl::ResourceExhaustedError("the system refuses a thread");
  } catch (const std::exception& error) {
    return absl::InternalError(std::string("unexpected exception: ") + error.what());
  } catch (...) {
    return absl::InternalError("unexpected exception");
  }
}

void StartThreads(int count, const std::function<void(int)>& run, const std::function<void()>& close,
                  std::vector<std::thread>* threads) {
  try {
    threads->reserve(threads->size() + static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) threads->emplace_back([run, i] { run(i); });
  } catch (...) {
    close();
    for (std::thread& thread : *threads) thread.join();
    threads->clear();
    throw;
  }
}

int TryThreads(int count) {
  Mutex mu;
  CondVar end;
  bool ending = false;
  const auto wait = [&](int) {
    MutexLock lock(&mu);
    while (!ending) end.WaitUntil(&mu, SteadyTime::InfiniteFuture());
  };
  const auto close = [&] {
    MutexLock lock(&mu);
    ending = true;
    end.SignalAll();
  };
  std::vector<std::thread> threads;
  int started = 0;
  (void)Contain([&] {
    for (; started < count; ++started) threads.emplace_back([&wait, started] { wait(started); });
  });
  close();
  for (std::thread& thread : threads) thread.join();
  return started;
}

}  // namespace hearwire
