// The streams that are open, in all and of each caller.

#ifndef HEARWIRE_SERVER_ACCESS_STREAM_COUNTER_H_
#define HEARWIRE_SERVER_ACCESS_STREAM_COUNTER_H_

#include <map>
#include <string>
#include <string_view>

#include "server/concurrency/mutex.h"

namespace hearwire {

// A stream holds its place whatever it sends, so a bound of all alone would let one caller keep every other out.
// Thread-safe.
class StreamCounter {
 public:
  enum class Entry { kIn, kFull, kCallerFull };

  explicit StreamCounter(int most) : most_(most) {}

  // Counts one in, unless as many are open as may be. most_of_caller: of this caller's.
  Entry Enter(std::string_view caller, int most_of_caller);
  // Counts one out that was let in.
  void Leave(std::string_view caller);

  int open() const;

 private:
  const int most_;
  mutable Mutex mu_;
  int open_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, int, std::less<>> callers_ ABSL_GUARDED_BY(mu_);  // Those who have any.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ACCESS_STREAM_COUNTER_H_
