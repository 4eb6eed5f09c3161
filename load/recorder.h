// Gathers the outcomes of a run's calls into a Measurement.

#ifndef HEARWIRE_LOAD_RECORDER_H_
#define HEARWIRE_LOAD_RECORDER_H_

#include <cstddef>

#include "absl/time/time.h"
#include "load/measurement.h"
#include "load/workload.h"

namespace hearwire::load {

// Times count from the start of the run. Not thread-safe.
class Recorder {
 public:
  // Measures calls due from warm_up until end.
  Recorder(absl::Duration warm_up, absl::Duration end);

  struct Ended {
    const PreparedCall* call;
    absl::Duration due;
    absl::Duration ended;
    bool chosen_to_cancel = false;
  };

  // `start_delay` after it was due.
  void OnSent(const PreparedCall& call, absl::Duration due, absl::Duration start_delay);
  // Each call that was sent ends once.
  void OnEnded(const Ended& ended, const Outcome& outcome);
  // Its deadline passed before it could be sent.
  void OnExpiredUnsent(const Ended& ended);
  // No more calls will be due from here on, though they were planned until `end`.
  void EndEarly(absl::Duration now);

  // measurement().measured is set by Finish only.
  const Measurement& measurement() const { return measurement_; }
  Measurement Finish();

 private:
  bool IsMeasured(absl::Duration due) const { return due >= warm_up_ && due < end_; }
  Interval& IntervalAt(absl::Duration time);
  void OnFailed(const Ended& ended, absl::StatusCode code, const std::string& message);
  void Count(const Ended& ended, absl::Duration latency);

  const absl::Duration warm_up_;
  absl::Duration end_;
  Measurement measurement_;
};

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_RECORDER_H_
