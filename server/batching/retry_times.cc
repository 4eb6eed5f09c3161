#include "server/batching/retry_times.h"

namespace hearwire {

void RetryTimes::OnCall(int caller, size_t id, SteadyTime now) {
  if (static_cast<size_t>(caller) >= callers_.size()) callers_.resize(static_cast<size_t>(caller) + 1);
  Told& told = callers_[static_cast<size_t>(caller)];
  if (told.id != id || now > told.first + kGrace) {
    told = {.id = id, .until = {}, .first = SteadyTime::InfiniteFuture()};
  } else if (now >= told.first) {
    told.first = SteadyTime::InfiniteFuture();
  }
}

absl::Duration RetryTimes::Wait(int caller, absl::Duration ahead, absl::Duration own, SteadyTime now) {
  Told& told = callers_[static_cast<size_t>(caller)];
  told.until = std::max(told.until, now + ahead);
  const absl::Duration room = std::min(told.until - now, kMost);
  told.until = now + std::min(told.until - now + own, kMost);
  const absl::Duration wait = std::max(room - early_, room / 2);
  if (told.first == SteadyTime::InfiniteFuture()) told.first = now + wait;
  return wait;
}

}  // namespace hearwire
