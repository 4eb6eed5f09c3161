#include "load/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "load/stalls.h"

namespace hearwire::load {
namespace {

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

LatencySummary SummariseLatency(const Histogram& made, const StallRule& stalls) {
  const DueLatency latency(made, stalls);
  return {.p50_ms = Milliseconds(latency.Quantile(0.5)),
          .p90_ms = Milliseconds(latency.Quantile(0.9)),
          .p99_ms = Milliseconds(latency.Quantile(0.99)),
          .p999_ms = Milliseconds(latency.Quantile(0.999)),
          .max_ms = Milliseconds(made.max()),
          .mean_ms = Milliseconds(made.Mean())};
}

ServerSummary SummariseServer(const Measurement& measurement, const MetricsPage& before, const MetricsPage& after) {
  const auto grown = [&](const std::string& name) { return SumOf(after, name) - SumOf(before, name); };
  const auto mean = [&](const std::string& name) { return Ratio(grown(name + "_sum"), grown(name + "_count")); };
  const double cpu_seconds = grown("process_cpu_seconds_total");
  const double counted = grown("hearwire_requests_total");
  return {.cpu_ms_per_call = counted > 0 ? std::optional(1e3 * cpu_seconds / counted) : std::nullopt,
          .cpu_cores = Ratio(cpu_seconds, absl::ToDoubleSeconds(measurement.elapsed)),
          .batches = grown("hearwire_batch_windows_count"),
          .windows_per_batch = mean("hearwire_batch_windows"),
          .calls_per_batch = mean("hearwire_batch_calls"),
          .queue_mean_ms = 1e3 * mean("hearwire_queue_duration_seconds"),
          .inference_mean_ms = 1e3 * mean("hearwire_inference_duration_seconds")};
}

}  // namespace

double ShareWithin(const Measurement& measurement, const LoadOptions& options, absl::Duration bound) {
  const StallRule stalls = FindStalls(measurement, options);
  return DueLatency(measurement.succeeded_latency, stalls).ShareWithin(bound, DueLatency(measurement.latency, stalls));
}

RunSummary Summarise(const Measurement& measurement, const LoadOptions& options, const MetricsPage* before,
                     const MetricsPage* after) {
  const double seconds = absl::ToDoubleSeconds(measurement.measured);
  RunSummary run;
  run.rate_per_second = options.rate;
  if (options.rate) run.offered_per_second = Ratio(static_cast<double>(measurement.calls), seconds);
  run.concurrency = options.concurrency;
  run.measured_seconds = seconds;
  run.calls = measurement.calls;
  run.succeeded = measurement.succeeded;
  run.chosen_to_cancel = measurement.chosen_to_cancel;
  for (const auto& [code, count] : measurement.failed) {
    run.failed += count;
    run.errors[absl::StatusCodeToString(code)] = count;
  }
  for (const auto& [code, message] : measurement.messages) {
    run.error_messages[absl::StatusCodeToString(code)] = message;
  }
  run.calls_per_second = Ratio(static_cast<double>(measurement.completed), seconds);
  run.audio_seconds_per_second = Ratio(measurement.completed_audio_seconds, seconds);
  run.bytes_sent = measurement.bytes_sent;
  run.bytes_received = measurement.bytes_received;
  const StallRule stalls = FindStalls(measurement, options);
  run.latency = SummariseLatency(measurement.latency, stalls);
  run.succeeded_latency = SummariseLatency(measurement.succeeded_latency, stalls);
  if (!options.rate) run.as_made = SummariseLatency(measurement.latency, {});
  run.start_delay_p99_ms = Milliseconds(measurement.start_delay.Quantile(0.99));
  run.generator_cpu_cores = Ratio(measurement.generator_cpu_seconds, absl::ToDoubleSeconds(measurement.elapsed));
  if (before != nullptr && after != nullptr && !Restarted(*before, *after))
    run.server = SummariseServer(measurement, *before, *after);
  return run;
}

std::vector<PercentilePoint> PercentilePoints(const Measurement& measurement, const LoadOptions& options) {
  const DueLatency latency(measurement.latency, FindStalls(measurement, options));
  std::vector<PercentilePoint> points;
  if (measurement.latency.count() == 0) return points;
  // Eight points each time the share above falls to a tenth, as far as single calls can be told apart.
  for (int i = 1;; ++i) {
    const double above = std::pow(10.0, -i / 8.0);
    if (above * static_cast<double>(measurement.latency.count()) < 1) break;
    points.push_back({1 - above, Milliseconds(latency.Quantile(1 - above))});
  }
  return points;
}

std::vector<IntervalPoint> IntervalPoints(const Measurement& measurement) {
  const double length = absl::ToDoubleSeconds(measurement.interval);
  const auto count =
      std::min<size_t>(measurement.intervals.size(),
                       static_cast<size_t>(std::ceil(absl::ToDoubleSeconds(measurement.measured) / length - 1e-9)));
  std::vector<IntervalPoint> points;
  for (size_t i = 0; i < count; ++i) {
    const Interval& interval = measurement.intervals[i];
    const double start = std::round(static_cast<double>(i) * length * 1e3) / 1e3;
    // The last one may be cut short.
    const double seconds = std::min(length, absl::ToDoubleSeconds(measurement.measured) - start);
    points.push_back({start, static_cast<double>(interval.due) / seconds,
                      static_cast<double>(interval.completed) / seconds, static_cast<double>(interval.failed) / seconds,
                      Milliseconds(interval.latency.Quantile(0.5)), Milliseconds(interval.latency.Quantile(0.99))});
  }
  return points;
}

std::vector<std::string> Notes(const Measurement& measurement, const LoadOptions& options) {
  std::vector<std::string> notes;
  if (measurement.interrupted) notes.emplace_back("The run was interrupted: calls in flight were cancelled.");
  if (measurement.reached_max_calls) {
    notes.push_back(absl::StrFormat("The run ended early, after --max-calls %d calls.", options.max_calls));
  }
  if (measurement.calls == 0) notes.emplace_back("No call was due in the measured time.");
  if (measurement.expired_unsent > 0) {
    notes.push_back(absl::StrFormat("%d calls expired before they could be sent: --concurrency %d were in flight.",
                                    measurement.expired_unsent, options.concurrency));
  }
  const StallRule stalls = FindStalls(measurement, options);
  if (const int64_t stalled = measurement.latency.count() - measurement.latency.CountAtMost(stalls.longest_ordinary)) {
    notes.push_back(absl::StrFormat(
        "A stall: %d of the calls took longer than %.4g ms, far longer than the others. p90 and above count the calls "
        "that their callers would have made meanwhile.",
        stalled, Milliseconds(stalls.longest_ordinary)));
  }
  const double delay_ms = Milliseconds(measurement.start_delay.Quantile(0.99));
  const double p50_ms = Milliseconds(measurement.latency.Quantile(0.5));
  if (options.rate && delay_ms > std::max(2.0, p50_ms / 2)) {
    notes.push_back(absl::StrFormat(
        "One call in a hundred was sent more than %.1f ms after it was due, because the generator was kept from it (no "
        "processor, or all --concurrency %d in flight). The wait is in the latencies.",
        delay_ms, options.concurrency));
  }
  if (measurement.calls > 0 && measurement.calls < 1000) {
    notes.push_back(absl::StrFormat("%d calls are few: p99.9 is their slowest%s.", measurement.calls,
                                    measurement.calls < 100 ? ", and so is p99" : ""));
  }
  return notes;
}

}  // namespace hearwire::load
