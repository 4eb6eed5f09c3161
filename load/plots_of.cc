#include "load/plots_of.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hearwire::load {
namespace {

std::vector<KneeStep> ByRate(const Report& report) {
  std::vector<KneeStep> steps = report.steps;
  std::stable_sort(steps.begin(), steps.end(), [](const KneeStep& a, const KneeStep& b) {
    return a.run.offered_per_second.value_or(0) < b.run.offered_per_second.value_or(0);
  });
  return steps;
}

// A line for each report, from a value of its steps.
template <typename Value>
std::vector<PlotLine> StepLines(const std::vector<Report>& reports, const std::string& suffix, int colour, bool dashed,
                                Value value) {
  std::vector<PlotLine> lines;
  for (const Report& report : reports) {
    const std::string name =
        reports.size() > 1 ? absl::StrCat(report.name, suffix.empty() ? "" : ", ", suffix) : suffix;
    PlotLine line{.name = name, .points = {}, .colour = colour, .dashed = dashed, .markers = true};
    for (const KneeStep& step : ByRate(report)) {
      line.points.push_back({step.run.offered_per_second.value_or(0), value(step.run), !step.passed});
    }
    if (!line.points.empty()) lines.push_back(std::move(line));
    if (reports.size() > 1) colour += 1;
  }
  return lines;
}

void Append(std::vector<PlotLine>* lines, std::vector<PlotLine> more) {
  lines->insert(lines->end(), more.begin(), more.end());
}

void AddKneePlots(const std::vector<Report>& reports, std::vector<Plot>* plots) {
  Plot throughput{.title = "Throughput against offered rate",
                  .x_name = "calls offered per second",
                  .y_name = "calls answered per second",
                  .lines = StepLines(reports, reports.size() > 1 ? "" : "answered", 0, false,
                                     [](const RunSummary& run) { return run.calls_per_second; })};
  if (throughput.lines.empty()) return;
  double most = 0;
  for (const PlotLine& line : throughput.lines) most = std::max(most, line.points.back().x);
  throughput.lines.push_back(
      {.name = "all that is offered", .points = {{0, 0}, {most, most}}, .colour = 5, .dashed = true});
  plots->push_back(std::move(throughput));

  Plot latency{.title = "Latency against offered rate",
               .x_name = "calls offered per second",
               .y_name = "milliseconds",
               .log_y = true,
               .lines = StepLines(reports, "p99", reports.size() > 1 ? 0 : 1, false,
                                  [](const RunSummary& run) { return run.latency.p99_ms; })};
  Append(&latency.lines, StepLines(reports, "p50", 0, true, [](const RunSummary& run) { return run.latency.p50_ms; }));
  if (reports.front().knee) {
    latency.y_bound = reports.front().knee->bound_ms;
    latency.y_bound_name = absl::StrCat("bound: p99 within ", NumberText(reports.front().knee->bound_ms), " ms");
  }
  plots->push_back(std::move(latency));
}

void AddPercentiles(const std::vector<Report>& reports, std::vector<Plot>* plots) {
  Plot plot{.title = "Latency by percentile",
            .x_name = reports.front().stream ? "percentile of rows" : "percentile of calls, failures included",
            .y_name = "milliseconds",
            .log_x = true,
            .log_y = true,
            .lines = {}};
  // One over the share of slower calls, so that the tail has its room.
  double most = 10;
  int colour = 0;
  for (const Report& report : reports) {
    PlotLine line{.name = report.name, .points = {}, .colour = colour++};
    for (const PercentilePoint& point : report.percentiles) {
      line.points.push_back({1 / (1 - point.share), point.ms});
      most = std::max(most, line.points.back().x);
    }
    plot.lines.push_back(std::move(line));
  }
  for (const auto& [at, text] : std::vector<std::pair<double, std::string>>{
           {2, "50"}, {10, "90"}, {100, "99"}, {1000, "99.9"}, {10000, "99.99"}, {100000, "99.999"}}) {
    if (at <= most) plot.x_labels.emplace_back(at, text);
  }
  plots->push_back(std::move(plot));
}

void AddCourse(const Report& report, std::vector<Plot>* plots) {
  if (report.intervals.size() < 2) return;
  PlotLine due{.name = report.stream ? "can be known" : "due", .points = {}, .colour = 5, .dashed = true};
  const bool rows = report.stream.has_value();
  PlotLine completed{.name = rows ? "arrived" : "succeeded", .points = {}, .colour = 0};
  PlotLine failed{.name = "failed", .points = {}, .colour = 3};
  PlotLine p50{.name = "p50", .points = {}, .colour = 0};
  PlotLine p99{.name = "p99", .points = {}, .colour = 1};
  bool any_failed = false;
  for (const IntervalPoint& point : report.intervals) {
    due.points.push_back({point.seconds, point.due_per_second});
    completed.points.push_back({point.seconds, point.completed_per_second});
    failed.points.push_back({point.seconds, point.failed_per_second});
    any_failed = any_failed || point.failed_per_second > 0;
    p50.points.push_back({point.seconds, point.p50_ms});
    p99.points.push_back({point.seconds, point.p99_ms});
  }
  const std::string of_run = report.knee ? " at the knee" : "";
  Plot rates{.title = absl::StrCat(rows ? "Rows" : "Calls", " over time", of_run),
             .x_name = "seconds after the warm-up",
             .y_name = rows ? "rows per second" : "calls per second",
             .lines = {due, completed}};
  if (any_failed) rates.lines.push_back(failed);
  plots->push_back(std::move(rates));
  plots->push_back({.title = "Latency over time" + of_run,
                    .x_name = rows ? "seconds after the warm-up, when the row could be known"
                                   : "seconds after the warm-up, when the call was due",
                    .y_name = "milliseconds",
                    .log_y = true,
                    .lines = {p99, p50}});
}

}  // namespace

std::vector<Plot> PlotsOf(const std::vector<Report>& reports) {
  std::vector<Plot> plots;
  if (reports.empty()) return plots;
  AddKneePlots(reports, &plots);
  AddPercentiles(reports, &plots);
  if (reports.size() == 1) AddCourse(reports.front(), &plots);
  return plots;
}

}  // namespace hearwire::load
