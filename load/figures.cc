#include "load/figures.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "load/plot.h"

namespace hearwire::load {

std::vector<Figure> FiguresOf(const Report& report) {
  std::vector<Figure> figures;
  if (!HasRun(report)) return figures;
  const RunSummary& run = report.run;
  if (run.rate_per_second) figures.push_back({"rate", "calls/s", *run.rate_per_second});
  if (run.offered_per_second) figures.push_back({"offered", "calls/s", *run.offered_per_second});
  if (report.stream) {
    figures.push_back({"answered", "rows/s", report.stream->rows_per_second, Better::kHigher});
    figures.push_back({"real-time factor", "", report.stream->real_time_factor, Better::kHigher});
  } else {
    figures.push_back({"answered", "calls/s", run.calls_per_second, Better::kHigher});
  }
  figures.push_back({"audio", "s per s", run.audio_seconds_per_second, Better::kHigher});
  figures.push_back({"p50", "ms", run.latency.p50_ms, Better::kLower});
  figures.push_back({"p90", "ms", run.latency.p90_ms, Better::kLower});
  figures.push_back({"p99", "ms", run.latency.p99_ms, Better::kLower});
  figures.push_back({"p99.9", "ms", run.latency.p999_ms, Better::kLower});
  figures.push_back({"slowest", "ms", run.latency.max_ms, Better::kLower});
  figures.push_back({"mean", "ms", run.latency.mean_ms, Better::kLower});
  if (run.as_made) {
    figures.push_back({"p99 as made", "ms", run.as_made->p99_ms, Better::kLower});
    figures.push_back({"p99.9 as made", "ms", run.as_made->p999_ms, Better::kLower});
  }
  figures.push_back({report.stream ? "streams" : "calls", "", static_cast<double>(run.calls)});
  figures.push_back({"failed", "", static_cast<double>(run.failed), Better::kLower});
  if (run.chosen_to_cancel > 0) figures.push_back({"to cancel", "", static_cast<double>(run.chosen_to_cancel)});
  if (!report.stream) {
    figures.push_back({"sent", "MB", static_cast<double>(run.bytes_sent) / 1e6});
    figures.push_back({"received", "MB", static_cast<double>(run.bytes_received) / 1e6});
  }
  if (run.offered_per_second) figures.push_back({"start delay p99", "ms", run.start_delay_p99_ms, Better::kLower});
  figures.push_back({"generator CPU", "cores", run.generator_cpu_cores, Better::kLower});
  if (run.server) {
    figures.push_back({"server CPU", "cores", run.server->cpu_cores});
    if (run.server->cpu_ms_per_call && !report.stream) {
      figures.push_back({"server CPU per call", "ms", *run.server->cpu_ms_per_call, Better::kLower});
    }
    figures.push_back({"windows per batch", "", run.server->windows_per_batch});
    figures.push_back({"calls per batch", "", run.server->calls_per_batch});
    figures.push_back({"mean queueing", "ms", run.server->queue_mean_ms, Better::kLower});
    figures.push_back({"mean inference", "ms", run.server->inference_mean_ms, Better::kLower});
  }
  return figures;
}

std::string FigureText(const Figure& figure) {
  return absl::StrCat(NumberText(figure.value), figure.unit.empty() ? "" : " ", figure.unit);
}

std::vector<std::string> Verdicts(const Report& report) {
  std::vector<std::string> lines;
  for (const Objective& objective : report.objectives) {
    lines.push_back(absl::StrCat(objective.met ? "met: " : "MISSED: ", objective.asked, " (", objective.found, ")"));
  }
  if (!report.count_check) return lines;
  const CountCheck& check = *report.count_check;
  const std::string all =
      check.exact ? absl::StrFormat("%d calls, each method, config and code", check.sent - check.not_compared)
                  : absl::StrFormat(
                        "%d sent = %d answered + %d failed on this side; the server counted %d, which is "
                        "within what that leaves open",
                        check.sent, check.answered, check.failed_locally, check.server_counted);
  const bool nothing_compared = check.not_compared > 0 && check.not_compared == check.sent;
  if (check.agrees() && !nothing_compared) {
    lines.push_back(absl::StrCat("counts agree with the server's: ", all));
  } else {
    for (const std::string& difference : check.differences) {
      lines.push_back(absl::StrCat("COUNTS NOT CONFIRMED by the server: ", difference));
    }
  }
  if (check.not_compared > 0) {
    lines.push_back(
        absl::StrFormat("counts not compared: %s%d calls were refused by gRPC before the server could count them",
                        nothing_compared ? "all " : "", check.not_compared));
  }
  return lines;
}

std::string KneeText(const Report& report) {
  if (!report.knee) return "";
  const std::string bound = absl::StrCat(NumberText(report.knee->bound_ms), " ms");
  const Knee& knee = *report.knee;
  if (!knee.per_second) {
    return knee.interrupted ? absl::StrCat("interrupted before any rate had passed with a p99 within ", bound)
                            : absl::StrCat("no rate that was tried has a p99 within ", bound);
  }
  const std::string rate = absl::StrCat(NumberText(*knee.per_second), " calls per second");
  if (knee.interrupted) {
    return absl::StrCat("unconfirmed, the search was interrupted: so far the highest rate whose p99 stayed within ",
                        bound, ": ", rate);
  }
  return absl::StrCat("the highest rate whose p99 stays within ", bound, ": ", rate);
}

}  // namespace hearwire::load
