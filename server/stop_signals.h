// Which of the signals that end a program ask for what. Policy without threads or clocks: times come in.

#ifndef HEARWIRE_SERVER_STOP_SIGNALS_H_
#define HEARWIRE_SERVER_STOP_SIGNALS_H_

#include <optional>

#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// The first signal asks the server to stop, a second one to end at once. But one request is often delivered twice:
// timeout(1) signals its child and then its process group, and a terminal's Ctrl-C reaches a parent that passes it on.
class StopSignals {
 public:
  enum class Meaning { kStop, kRepeat, kEndNow };

  // Whatever comes so soon after the first one repeats it. Nobody asks twice within so short a time.
  static constexpr absl::Duration kRepeats = absl::Milliseconds(100);

  Meaning Take(SteadyTime now) {
    if (!first_) {
      first_ = now;
      return Meaning::kStop;
    }
    return now - *first_ < kRepeats ? Meaning::kRepeat : Meaning::kEndNow;
  }

 private:
  std::optional<SteadyTime> first_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_STOP_SIGNALS_H_
