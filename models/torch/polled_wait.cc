#include "models/torch/polled_wait.h"

#include <algorithm>
#include <thread>

namespace hearwire {

using std::chrono::microseconds;

microseconds PollPause(microseconds waited) { return std::clamp(waited / 8, microseconds(20), microseconds(500)); }

void WaitUntil(const std::function<bool()>& ready) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  WaitUntil(
      ready, [](microseconds pause) { std::this_thread::sleep_for(pause); },
      [&] { return std::chrono::duration_cast<microseconds>(Clock::now() - start); });
}

void WaitUntil(const std::function<bool()>& ready, const std::function<void(microseconds)>& sleep,
               const std::function<microseconds()>& waited) {
  while (!ready()) sleep(PollPause(waited()));
}

}  // namespace hearwire
