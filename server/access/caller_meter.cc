#include "server/access/caller_meter.h"

#include <algorithm>

namespace hearwire {
namespace {

// Says that there is less of it than `needed`, unless it has no limit. A minute's worth always suffices to begin.
std::optional<CallerMeter::OverLimit> Lacks(std::string_view limit, int64_t per_minute, double left, double needed) {
  if (per_minute == 0) return std::nullopt;
  const auto whole = static_cast<double>(per_minute);
  const double lacking = std::min(needed, whole) - left;
  if (lacking <= 0) return std::nullopt;
  return CallerMeter::OverLimit{limit, per_minute, absl::Minutes(lacking / whole)};
}

void Regain(double* left, int64_t per_minute, double minutes) {
  const auto whole = static_cast<double>(per_minute);
  *left = std::min(*left + whole * minutes, whole);
}

// Just above what is used up: whoever has so much of it left may go on.
constexpr double kAny = 1e-6;

}  // namespace

CallerMeter::Left& CallerMeter::Find(const Caller& caller, SteadyTime now) {
  auto found = callers_.find(caller.name);
  if (found == callers_.end()) {
    if (callers_.size() >= most_callers_) {
      callers_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(caller.name);
    const CallerLimits& limits = caller.limits;
    found = callers_
                .emplace(caller.name, Left{.calls = static_cast<double>(limits.calls),
                                           .bytes = static_cast<double>(limits.bytes),
                                           .audio_seconds = static_cast<double>(limits.audio_seconds),
                                           .limits = limits,
                                           .since = now,
                                           .place = order_.begin()})
                .first;
    return found->second;
  }
  Left& left = found->second;
  order_.splice(order_.begin(), order_, left.place);
  // A limit that has become another: what is left stays, up to the new one.
  if (left.limits.calls == 0) left.calls = static_cast<double>(caller.limits.calls);
  if (left.limits.bytes == 0) left.bytes = static_cast<double>(caller.limits.bytes);
  if (left.limits.audio_seconds == 0) left.audio_seconds = static_cast<double>(caller.limits.audio_seconds);
  left.limits = caller.limits;
  const double minutes = std::max(absl::ToDoubleMinutes(now - left.since), 0.0);
  Regain(&left.calls, left.limits.calls, minutes);
  Regain(&left.bytes, left.limits.bytes, minutes);
  Regain(&left.audio_seconds, left.limits.audio_seconds, minutes);
  left.since = std::max(left.since, now);
  return left;
}

std::optional<CallerMeter::OverLimit> CallerMeter::TakeCall(const Caller& caller, int64_t bytes, SteadyTime now) {
  if (!caller.limits.any()) return std::nullopt;
  MutexLock lock(&mu_);
  Left& left = Find(caller, now);
  if (auto over = Lacks("calls", left.limits.calls, left.calls, 1)) return over;
  if (auto over = Lacks("bytes", left.limits.bytes, left.bytes, static_cast<double>(bytes))) return over;
  if (auto over = Lacks("audio_seconds", left.limits.audio_seconds, left.audio_seconds, kAny)) return over;
  left.calls -= 1;
  left.bytes -= static_cast<double>(bytes);
  return std::nullopt;
}

std::optional<CallerMeter::OverLimit> CallerMeter::Take(const Caller& caller, int64_t bytes, absl::Duration audio,
                                                        SteadyTime now) {
  if (!caller.limits.any()) return std::nullopt;
  MutexLock lock(&mu_);
  Left& left = Find(caller, now);
  left.bytes -= static_cast<double>(bytes);
  left.audio_seconds -= absl::ToDoubleSeconds(audio);
  if (auto over = Lacks("bytes", left.limits.bytes, left.bytes, kAny)) return over;
  return Lacks("audio_seconds", left.limits.audio_seconds, left.audio_seconds, kAny);
}

size_t CallerMeter::callers() const {
  MutexLock lock(&mu_);
  return callers_.size();
}

}  // namespace hearwire
