#include "load/stream_report.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "load/live_terminal.h"
#include "load/report_text.h"
#include "load/server_metrics.h"

namespace hearwire::load {

absl::Status FillStreamReport(const ProgramOptions& options, const std::vector<client::ConfigInfo>& served,
                              const std::stop_token& stop, Report* report) {
  const StreamLoad& load = *options.streams;
  const auto config = std::find_if(served.begin(), served.end(), [&](const client::ConfigInfo& info) {
    return load.config.empty() ? info.is_default : info.name == load.config;
  });
  // The server refuses what it does not know; that is what the run then shows.
  const double window_ms = config == served.end() ? 0 : config->timestamp_window_ms;
  report->load = absl::StrFormat("%d streams of timestamps of %s, pieces of %s, %s", load.streams,
                                 config == served.end() ? load.config : config->name, absl::FormatDuration(load.piece),
                                 load.real_time ? "in real time" : "as fast as possible");

  // All latencies are as they were, as in an open loop: a row is due whatever has become of those before.
  LoadOptions as_rows;
  as_rows.rate = 1;
  as_rows.concurrency = load.streams;
  as_rows.warm_up = load.warm_up;
  as_rows.duration = load.duration;

  std::optional<MetricsPage> before;
  std::optional<MetricsPage> after;
  if (!options.metrics_url.empty()) {
    absl::StatusOr<MetricsPage> page = FetchMetrics(options.metrics_url);
    if (!page.ok()) return page.status();
    before = *std::move(page);
  }
  const absl::StatusOr<client::ClientOptions> connection = ConnectionOf(options);
  if (!connection.ok()) return connection.status();
  LiveTerminal terminal;
  std::function<void(const Progress&)> show;
  if (terminal.is_terminal()) {
    show = [&](const Progress& progress) { terminal.Show(LiveLine(progress, as_rows, terminal.columns() - 1)); };
  }
  const absl::StatusOr<StreamMeasurement> measured =
      RunStreams(load, *connection, options.connections, window_ms, stop, show);
  terminal.Clear();
  if (!measured.ok()) return measured.status();
  if (before) {
    // Of a server that has ended meanwhile, nothing more can be said.
    if (absl::StatusOr<MetricsPage> page = FetchMetrics(options.metrics_url); page.ok()) after = *std::move(page);
  }

  RunSummary& run = report->run;
  run = Summarise(measured->rows, as_rows, before && after ? &*before : nullptr, after ? &*after : nullptr);
  run.rate_per_second.reset();
  run.offered_per_second.reset();
  run.calls_per_second = 0;  // Streams are not counted by the second.
  report->stream = StreamSummary{
      .rows_per_second = run.measured_seconds > 0 ? static_cast<double>(measured->row_count) / run.measured_seconds : 0,
      .real_time_factor = run.audio_seconds_per_second / load.streams};
  report->percentiles = PercentilePoints(measured->rows, as_rows);
  report->intervals = IntervalPoints(measured->rows);
  if (measured->rows.interrupted) report->notes.emplace_back("The run was interrupted: its streams were cancelled.");
  if (measured->rows.latency.count() < 1000) {
    report->notes.push_back(
        absl::StrFormat("%d rows are few: p99.9 is their slowest.", measured->rows.latency.count()));
  }
  return absl::OkStatus();
}

}  // namespace hearwire::load
