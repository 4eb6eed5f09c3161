// Sends streams, and measures when their rows come.

#ifndef HEARWIRE_LOAD_STREAM_RUN_H_
#define HEARWIRE_LOAD_STREAM_RUN_H_

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "load/load_run.h"
#include "load/measurement.h"

namespace hearwire::load {

struct StreamLoad {
  int streams = 8;  // At once. Each lasts for the whole run, on two threads of its own.
  absl::Duration piece = absl::Milliseconds(100);
  // A piece is sent when its last sample would have sounded; otherwise as soon as the connection takes it.
  bool real_time = true;
  std::string config = {};  // Empty: the server's default.
  int sample_rate_hz = 32000;
  absl::Duration warm_up = absl::Seconds(2);
  absl::Duration duration = absl::Seconds(10);  // After the warm-up.
  uint64_t seed = 1;
};

struct StreamMeasurement {
  // Latencies and intervals are of rows: from when a row can be known to its arrival. A row can be known when the last
  // sample of its window is due, or, where nothing is due, about to be sent. Calls are streams.
  Measurement rows;
  int64_t row_count = 0;  // That arrived in the measured time.
};

// Runs to the end: until every stream has its last row or has failed. A stop cancels all. window_ms: of a row.
// on_progress: called five times a second, from the caller's thread; may be empty. INVALID_ARGUMENT: a stream cannot be
// opened so.
absl::StatusOr<StreamMeasurement> RunStreams(const StreamLoad& load, const client::ClientOptions& server,
                                             int connections, double window_ms, const std::stop_token& stop,
                                             const std::function<void(const Progress&)>& on_progress);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_STREAM_RUN_H_
