// What callers have taken of what they may.
//
// A caller begins with a minute's worth of each limit and regains it evenly. What a call takes may be more than there
// is left, once there is enough for it to begin: audio is known only when it has been decoded, and a call larger than a
// whole minute's worth must not wait for ever. The caller then waits until that is made up for.

#ifndef HEARWIRE_SERVER_ACCESS_CALLER_METER_H_
#define HEARWIRE_SERVER_ACCESS_CALLER_METER_H_

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "server/access/caller.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// Thread-safe.
class CallerMeter {
 public:
  struct OverLimit {
    std::string_view limit;  // "calls", "bytes" or "audio_seconds".
    int64_t per_minute;
    absl::Duration retry_after;  // From then on there is enough of it, if nothing else takes it.
  };

  // So many callers are remembered, those that were heard of last. One that is forgotten begins anew.
  explicit CallerMeter(size_t most_callers) : most_callers_(most_callers) {}

  // Takes one call, and the bytes of its request, of what the caller may; or nothing, and says why. Audio must not be
  // used up either.
  std::optional<OverLimit> TakeCall(const Caller& caller, int64_t bytes, SteadyTime now);
  // What a call turns out to take: bytes and audio that follow. Says when the caller has used up either.
  std::optional<OverLimit> Take(const Caller& caller, int64_t bytes, absl::Duration audio, SteadyTime now);

  size_t callers() const;

 private:
  // What is left, in units of the limit; below 0 there is something to make up for.
  struct Left {
    double calls = 0;
    double bytes = 0;
    double audio_seconds = 0;
    CallerLimits limits;
    SteadyTime since;
    std::list<std::string>::iterator place;  // In order_.
  };

  // What the caller has now.
  Left& Find(const Caller& caller, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t most_callers_;
  mutable Mutex mu_;
  std::map<std::string, Left, std::less<>> callers_ ABSL_GUARDED_BY(mu_);
  std::list<std::string> order_ ABSL_GUARDED_BY(mu_);  // Heard of last: first.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ACCESS_CALLER_METER_H_
