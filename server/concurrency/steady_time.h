// A point on the machine's monotonic clock. All of the server's deadlines and measurements are such points.
//
// The system's clock may be stepped by hours while calls are in flight. It is for log lines only; what comes from
// outside as wall time (a gRPC deadline) is converted once, on arrival.

#ifndef HEARWIRE_SERVER_CONCURRENCY_STEADY_TIME_H_
#define HEARWIRE_SERVER_CONCURRENCY_STEADY_TIME_H_

#include <chrono>

#include "absl/time/time.h"

namespace hearwire {

// std::chrono::steady_clock's points with absl's durations. Arithmetic saturates at the infinite points, as
// absl::Duration's does.
class SteadyTime {
 public:
  constexpr SteadyTime() = default;  // The clock's epoch: no meaning of its own.

  static SteadyTime Now() { return SteadyTime(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch())); }
  static constexpr SteadyTime InfiniteFuture() { return SteadyTime(absl::InfiniteDuration()); }
  static constexpr SteadyTime InfinitePast() { return SteadyTime(-absl::InfiniteDuration()); }

  // For the standard library's waits. The infinite points become its first and last ones.
  std::chrono::steady_clock::time_point ToChrono() const {
    return std::chrono::steady_clock::time_point(absl::ToChronoNanoseconds(since_epoch_));
  }

  SteadyTime& operator+=(absl::Duration d) {
    since_epoch_ += d;
    return *this;
  }
  SteadyTime& operator-=(absl::Duration d) {
    since_epoch_ -= d;
    return *this;
  }
  friend SteadyTime operator+(SteadyTime t, absl::Duration d) { return t += d; }
  friend SteadyTime operator-(SteadyTime t, absl::Duration d) { return t -= d; }
  friend absl::Duration operator-(SteadyTime a, SteadyTime b) { return a.since_epoch_ - b.since_epoch_; }

  friend constexpr bool operator==(SteadyTime a, SteadyTime b) { return a.since_epoch_ == b.since_epoch_; }
  friend constexpr bool operator!=(SteadyTime a, SteadyTime b) { return a.since_epoch_ != b.since_epoch_; }
  friend constexpr bool operator<(SteadyTime a, SteadyTime b) { return a.since_epoch_ < b.since_epoch_; }
  friend constexpr bool operator>(SteadyTime a, SteadyTime b) { return b < a; }
  friend constexpr bool operator<=(SteadyTime a, SteadyTime b) { return !(b < a); }
  friend constexpr bool operator>=(SteadyTime a, SteadyTime b) { return !(a < b); }

 private:
  explicit constexpr SteadyTime(absl::Duration since_epoch) : since_epoch_(since_epoch) {}

  absl::Duration since_epoch_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CONCURRENCY_STEADY_TIME_H_
