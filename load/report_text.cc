#include "load/report_text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "load/figures.h"
#include "load/plot.h"

namespace hearwire::load {
namespace {

const Figure* Find(const std::vector<Figure>& figures, const std::string& name) {
  const auto found =
      std::find_if(figures.begin(), figures.end(), [&](const Figure& figure) { return figure.name == name; });
  return found == figures.end() ? nullptr : &*found;
}

}  // namespace

std::string ReportText(const Report& report) {
  std::string text = absl::StrCat(report.name, ": ", report.load, "\n");
  if (report.knee) absl::StrAppend(&text, "  ", KneeText(report), "\n");
  for (const Figure& figure : FiguresOf(report)) {
    absl::StrAppend(&text, absl::StrFormat("  %-20s %12s %s\n", figure.name, NumberText(figure.value), figure.unit));
  }
  for (const auto& [code, count] : report.run.errors) {
    const auto message = report.run.error_messages.find(code);
    absl::StrAppend(&text, "  ", code, ": ", count, report.stream ? " streams, the first: " : " calls, the first: ",
                    message == report.run.error_messages.end() ? "" : message->second, "\n");
  }
  for (const std::string& verdict : Verdicts(report)) absl::StrAppend(&text, "  ", verdict, "\n");
  for (const std::string& note : report.notes) absl::StrAppend(&text, "  note: ", note, "\n");
  return text;
}

std::string ComparisonText(const Report& base, const Report& other) {
  const int one_width = static_cast<int>(std::max<size_t>(12, base.name.size()));
  const int two_width = static_cast<int>(std::max<size_t>(12, other.name.size()));
  std::string text =
      absl::StrFormat("%-20s  %*s  %*s %10s\n", "", one_width, base.name, two_width, other.name, "change");
  const auto row = [&](const std::string& name, const std::string& unit, double one, double two) {
    const std::string change = one != 0 ? absl::StrFormat("%+.1f %%", 100 * (two - one) / one) : "";
    absl::StrAppend(
        &text,
        absl::StrFormat("%-20s  %*s  %*s %10s", name, one_width, NumberText(one), two_width, NumberText(two), change),
        unit.empty() ? "" : "  ", unit, "\n");
  };
  if (base.knee && other.knee && base.knee->per_second && other.knee->per_second) {
    row("knee", "calls/s", *base.knee->per_second, *other.knee->per_second);
  }
  const std::vector<Figure> figures = FiguresOf(other);
  for (const Figure& figure : FiguresOf(base)) {
    if (const Figure* same = Find(figures, figure.name)) row(figure.name, figure.unit, figure.value, same->value);
  }
  for (const std::string& note : ComparisonNotes(base, other)) absl::StrAppend(&text, "note: ", note, "\n");
  return text;
}

std::vector<std::string> ComparisonNotes(const Report& base, const Report& other) {
  std::vector<std::string> notes;
  if (base.load != other.load) {
    notes.push_back(absl::StrCat("the loads differ: ", base.load, " against ", other.load));
  }
  for (const Report* report : {&base, &other}) {
    for (const std::string& note : report->notes) notes.push_back(absl::StrCat(report->name, ": ", note));
  }
  return notes;
}

std::string StepText(const KneeStep& step) {
  return absl::StrFormat("rate %s: %s calls/s offered, %s answered, p50 %s, p99 %s ms, %d failed: %s",
                         NumberText(step.run.rate_per_second.value_or(0)),
                         NumberText(step.run.offered_per_second.value_or(0)), NumberText(step.run.calls_per_second),
                         NumberText(step.run.latency.p50_ms), NumberText(step.run.latency.p99_ms), step.run.failed,
                         step.passed ? "passed" : "not passed");
}

std::string LiveLine(const Progress& progress, const LoadOptions& options, int columns) {
  const double elapsed = absl::ToDoubleSeconds(progress.elapsed);
  std::string line =
      absl::StrFormat("%.0f of %.0f s", elapsed, absl::ToDoubleSeconds(options.warm_up + options.duration));
  if (progress.warming_up) {
    line += " (warm-up)";
  } else if (progress.draining) {
    line += " (last calls)";
  }
  // What matters least comes last, and is what a narrow terminal does without.
  const std::string parts[] = {
      absl::StrCat("p99 ", NumberText(absl::ToDoubleMilliseconds(progress.p99)), " ms"),
      absl::StrCat("p50 ", NumberText(absl::ToDoubleMilliseconds(progress.p50)), " ms"),
      absl::StrCat(progress.failed, " failed"),
      absl::StrCat(NumberText(static_cast<double>(progress.sent - progress.in_flight) / std::max(elapsed, 1e-3)), "/s"),
      absl::StrCat(progress.in_flight, " in flight"),
      absl::StrCat(progress.sent, " sent")};
  const auto room = static_cast<size_t>(std::max(columns, 1));
  for (const std::string& part : parts) {
    if (line.size() + 2 + part.size() > room) break;
    absl::StrAppend(&line, ", ", part);
  }
  line.resize(std::min(line.size(), room));
  return line;
}

}  // namespace hearwire::load
