// Makes the calls of a load, and measures them.

#ifndef HEARWIRE_LOAD_LOAD_RUN_H_
#define HEARWIRE_LOAD_LOAD_RUN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/client.h"
#include "grpcpp/channel.h"
#include "load/arrivals.h"
#include "load/measurement.h"
#include "load/workload.h"

namespace hearwire::load {

struct LoadOptions {
  // Calls per second, due whether or not earlier ones have ended (open loop). Absent: each of `concurrency` callers
  // makes its next call when its last has ended (closed loop).
  std::optional<double> rate = {};
  ArrivalKind arrivals = ArrivalKind::kPoisson;
  // In flight at most. In an open loop a call that finds them all taken waits here, and the wait counts.
  int concurrency = 8;
  absl::Duration warm_up = absl::Seconds(2);
  absl::Duration duration = absl::Seconds(10);           // After the warm-up.
  int64_t max_calls = 1'000'000;                         // The run ends early there.
  absl::Duration deadline = absl::Seconds(30);           // Of each call, from when it is due.
  double cancel_share = 0;                               // Of the calls, 0 to 1, that are given up
  absl::Duration cancel_after = absl::Milliseconds(50);  // this long after they were due.
  uint64_t seed = 1;
};

// Of a run that goes on.
struct Progress {
  absl::Duration elapsed;
  bool warming_up = false;
  bool draining = false;  // No more calls are due: the last ones are waited for.
  int64_t sent = 0;
  int64_t in_flight = 0;
  int64_t failed = 0;       // In the measured time.
  absl::Duration p50 = {};  // Likewise.
  absl::Duration p99 = {};
};

// Connections to the server, each with a socket of its own. Calls are made again as ClientOptions::max_attempts says.
// INVALID_ARGUMENT: what the options say of the connection is wrong; the rest of them does not count.
absl::StatusOr<std::vector<std::shared_ptr<grpc::Channel>>> Connect(const client::ClientOptions& options,
                                                                    int connections);

// Runs to the end: until every call that was sent has ended, which its deadline sees to. Two threads make all calls. A
// stop cancels those in flight and ends the run. on_progress: called five times a second, from the caller's thread; may
// be empty.
Measurement RunLoad(const LoadOptions& options, const Workload& workload,
                    const std::vector<std::shared_ptr<grpc::Channel>>& connections, const std::stop_token& stop,
                    const std::function<void(const Progress&)>& on_progress);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_LOAD_RUN_H_
