// A run in numbers, as the reports show it. Fields are what the JSON calls them.

#ifndef HEARWIRE_LOAD_REPORT_H_
#define HEARWIRE_LOAD_REPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "load/count_check.h"
#include "load/load_run.h"
#include "load/measurement.h"
#include "load/server_metrics.h"

namespace hearwire::load {

struct LatencySummary {
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
  double max_ms = 0;
  double mean_ms = 0;
};

// The server's side of the whole run, warm-up included, from its metrics.
struct ServerSummary {
  // CPU time of its process over all calls it counted, whatever became of them: also those that expired or were
  // cancelled, on which it worked until then. Absent when it counted none.
  std::optional<double> cpu_ms_per_call;
  double cpu_cores = 0;  // CPU time over the time the run took.
  double batches = 0;
  double windows_per_batch = 0;
  double calls_per_batch = 0;
  double queue_mean_ms = 0;
  double inference_mean_ms = 0;
};

struct RunSummary {
  // Absent in a closed loop: the rate that was asked for, and the calls that were due over the measured time.
  std::optional<double> rate_per_second;
  std::optional<double> offered_per_second;
  int concurrency = 0;  // Callers, or the most calls in flight in an open loop.
  double measured_seconds = 0;
  int64_t calls = 0;  // Due in the measured time. = succeeded + failed + cancelled ones that did not succeed.
  int64_t succeeded = 0;
  int64_t failed = 0;
  int64_t chosen_to_cancel = 0;
  std::map<std::string, int64_t> errors;  // Of those that failed, by code.
  std::map<std::string, std::string> error_messages;
  double calls_per_second = 0;  // That succeeded, within the measured time.
  double audio_seconds_per_second = 0;
  int64_t bytes_sent = 0;
  int64_t bytes_received = 0;
  // From the due time, failures included. In a closed loop p90 and above count the calls that callers would have made
  // during stalls (DueLatency).
  LatencySummary latency;  // Its fields stand in the JSON beside these.
  LatencySummary succeeded_latency;
  std::optional<LatencySummary> as_made;  // Closed loop only: of the calls that were made, without those.
  double start_delay_p99_ms = 0;          // From the due time to the sending.
  double generator_cpu_cores = 0;
  std::optional<ServerSummary> server;  // Absent without its metrics, or when it was restarted during the run.
};

struct PercentilePoint {
  double share = 0;
  double ms = 0;
};

struct IntervalPoint {
  double seconds = 0;  // Its start, from the end of the warm-up.
  double due_per_second = 0;
  double completed_per_second = 0;
  double failed_per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

// One rate that the search for the knee tried.
struct KneeStep {
  RunSummary run;
  double share_within_bound = 0;
  bool passed = false;
};

struct Knee {
  double bound_ms = 0;               // Of p99.
  std::optional<double> per_second;  // Absent: no rate passed.
  // The search did not come to its end: per_second is the highest rate that had passed by then, though maybe only once.
  bool interrupted = false;
};

struct Objective {
  std::string name;   // "p99"
  std::string asked;  // "99 % of calls within 100 ms"
  std::string found;
  bool met = false;
};

// Of a run of streams, whose latencies are of rows, and whose calls are streams.
struct StreamSummary {
  double rows_per_second = 0;
  double real_time_factor = 0;  // Seconds of audio that a stream has answered in a second.
};

struct Report {
  std::string name;  // Of the run, in plots and comparisons.
  std::string version;
  std::string started;  // ISO 8601.
  std::string server_address;
  std::string load;  // In words.
  std::map<std::string, std::string> settings;
  RunSummary run;                       // The knee's, where it was searched for. Empty when no rate passed.
  std::optional<StreamSummary> stream;  // Absent: a run of calls.
  std::vector<PercentilePoint> percentiles;
  std::vector<IntervalPoint> intervals;
  std::vector<KneeStep> steps;
  std::optional<Knee> knee;
  std::optional<CountCheck> count_check;
  std::vector<Objective> objectives;
  std::vector<std::string> notes;  // What a reader must know to trust the numbers.
};

// What the objectives and the knee judge by: the share of calls that succeeded within `bound`. Calls chosen to be
// cancelled are in neither number. 0 when there were none.
double ShareWithin(const Measurement& measurement, const LoadOptions& options, absl::Duration bound);

// before, after: the server's metrics around the run, or null. Of a server that was restarted between them nothing can
// be said.
RunSummary Summarise(const Measurement& measurement, const LoadOptions& options, const MetricsPage* before,
                     const MetricsPage* after);

// Whether there is a run to show: a search for the knee in which no rate passed has none.
inline bool HasRun(const Report& report) { return !report.knee || report.knee->per_second.has_value(); }

std::vector<PercentilePoint> PercentilePoints(const Measurement& measurement, const LoadOptions& options);
std::vector<IntervalPoint> IntervalPoints(const Measurement& measurement);

// What makes a measurement worth less than it seems.
std::vector<std::string> Notes(const Measurement& measurement, const LoadOptions& options);

// INVALID_ARGUMENT: not a report of hearwire-load.
std::string ToJson(const Report& report);
absl::StatusOr<Report> ReportFromJson(const std::string& text);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_REPORT_H_
