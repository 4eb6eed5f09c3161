// What a run of calls has shown.

#ifndef HEARWIRE_LOAD_MEASUREMENT_H_
#define HEARWIRE_LOAD_MEASUREMENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "load/histogram.h"

namespace hearwire::load {

// How one call ended.
struct Outcome {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string message = {};
  // The server said so: its reply, or its failure under its own request id. Otherwise the call failed on this side or
  // on the way: expired, cancelled, cut off, or never taken.
  bool answered = true;
  int64_t reply_bytes = 0;
};

// What was sent under one label set of hearwire_requests_total, warm-up included.
struct CallCounts {
  int64_t sent = 0;
  std::map<absl::StatusCode, int64_t> answered;
  // Failed without an answer, and the server may or may not have counted them.
  int64_t unknown = 0;
  // Refused by gRPC's transport before the server could count them: a message over the limit.
  int64_t not_taken = 0;
};

// All calls of a run, or of several.
struct Totals {
  std::map<std::pair<std::string, std::string>, CallCounts> by_label;  // Method and config.
  int64_t sent = 0;                                                    // answered + failed_locally.
  int64_t answered = 0;                                                // By the server, with success or failure.
  int64_t failed_locally = 0;                                          // Everything else that was sent.

  void Add(const Totals& other);
};

// A part of the run. Calls count where they were due, `completed` where they ended.
struct Interval {
  int64_t due = 0;
  int64_t completed = 0;  // With success.
  int64_t failed = 0;
  Histogram latency{5};
};

// Unless it says otherwise, of the calls that were due in the measured time: after the warm-up, until the end.
struct Measurement {
  absl::Duration measured;  // 0 when the run ended in the warm-up.

  int64_t calls = 0;  // Succeeded, failed, and chosen to be cancelled.
  int64_t succeeded = 0;
  int64_t chosen_to_cancel = 0;  // In no percentile, whether or not they were done before.
  std::map<absl::StatusCode, int64_t> failed;
  std::map<absl::StatusCode, std::string> messages;  // The first of each code.
  int64_t bytes_sent = 0;
  int64_t bytes_received = 0;

  int64_t completed = 0;  // With success within the measured time, whenever they were due.
  double completed_audio_seconds = 0;

  // From the due time to the end, of all calls, failures included, and of those that succeeded.
  Histogram latency;
  Histogram succeeded_latency;
  // From the due time to the sending: what the generator itself added.
  Histogram start_delay;

  absl::Duration interval = absl::Seconds(1);
  std::vector<Interval> intervals;

  Totals totals;               // Of all calls, warm-up included.
  int64_t expired_unsent = 0;  // Due, but the deadline passed while all slots were taken. Counted as failed.

  bool interrupted = false;
  bool reached_max_calls = false;
  double generator_cpu_seconds = 0;  // Of this process, from the start to the end.
  absl::Duration elapsed;            // Likewise: warm-up, measured time, and the wait for the last calls.
};

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_MEASUREMENT_H_
