#include "load/report_html.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "load/figures.h"
#include "load/plot.h"
#include "load/plots_of.h"
#include "load/report_text.h"

namespace hearwire::load {
namespace {

constexpr char kStyle[] = R"(
:root { --ink: #1d2430; --soft: #5b6575; --paper: #fff; --panel: #f5f7fa; --grid: #e1e6ec; --good: #1a7f4b; --bad: #c02626;
  --c0: #2463c9; --c1: #d97706; --c2: #0f8f7c; --c3: #c02626; --c4: #7c4dbd; --c5: #8a94a3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa4b2; --paper: #14181f; --panel: #1d232d;
  --grid: #2c3440; --good: #4cc38a; --bad: #ff7b72; --c0: #6aa5ff; --c1: #f5a742; --c2: #3cc9b2; --c3: #ff7b72;
  --c4: #b794f6; --c5: #7d8796; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 47rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .4rem; }
.sub { color: var(--soft); margin: .2rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: .7rem; margin: 1.3rem 0; }
.tile { background: var(--panel); border-radius: .5rem; padding: .6rem .8rem; }
.tile b { display: block; font-size: 1.45rem; font-weight: 600; } .tile span { color: var(--soft); font-size: .85rem; }
.verdict { margin: .25rem 0; padding-left: .7rem; border-left: .3rem solid var(--good); }
.verdict.bad { border-color: var(--bad); color: var(--bad); } .verdict.note { border-color: var(--c1); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: right; padding: .22rem .5rem; border-bottom: 1px solid var(--grid); font-weight: normal; }
th { color: var(--soft); } td:first-child, th:first-child, td.words { text-align: left; }
td.good { color: var(--good); } td.bad { color: var(--bad); }
svg { width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); } text.x { text-anchor: middle; } text.y { text-anchor: end; }
text.name { fill: var(--ink); } .grid { stroke: var(--grid); } .dashed { stroke-dasharray: 5 4; }
.bound { stroke: var(--bad); stroke-dasharray: 2 3; } svg text.bound-name { fill: var(--bad); }
path { fill: none; stroke-width: 2; stroke-linejoin: round; }
line { stroke-width: 1; } line[class^=line] { stroke-width: 2; }
.line-0 { stroke: var(--c0); } .line-1 { stroke: var(--c1); } .line-2 { stroke: var(--c2); } .line-3 { stroke: var(--c3); }
.line-4 { stroke: var(--c4); } .line-5 { stroke: var(--c5); }
.dot-0 { fill: var(--c0); stroke: var(--c0); } .dot-1 { fill: var(--c1); stroke: var(--c1); }
.dot-2 { fill: var(--c2); stroke: var(--c2); } .dot-3 { fill: var(--c3); stroke: var(--c3); }
.dot-4 { fill: var(--c4); stroke: var(--c4); } .dot-5 { fill: var(--c5); stroke: var(--c5); }
circle.hollow { fill: var(--paper); stroke-width: 1.6; }
)";

std::string Cell(const std::string& text, const char* style = "") {
  return absl::StrCat("<td", *style != '\0' ? absl::StrCat(" class=\"", style, "\"") : "", ">", EscapeHtml(text),
                      "</td>");
}

std::string Header(const std::vector<std::string>& names) {
  std::string row = "<table><tr>";
  for (const std::string& name : names) absl::StrAppend(&row, "<th>", EscapeHtml(name), "</th>");
  return row + "</tr>\n";
}

std::string Page(const std::string& title, const std::string& body) {
  return absl::StrCat("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
                      EscapeHtml(title), "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n", body,
                      "</body>\n</html>\n");
}

std::string Tiles(const Report& report) {
  if (!HasRun(report)) return "";
  std::string html = "<div class=\"tiles\">";
  const auto tile = [&](const std::string& name, const std::string& value) {
    absl::StrAppend(&html, "<div class=\"tile\"><b>", EscapeHtml(value), "</b><span>", EscapeHtml(name),
                    "</span></div>\n");
  };
  if (report.knee) {
    tile(report.knee->interrupted ? "calls per second, unconfirmed" : "knee, calls per second",
         NumberText(*report.knee->per_second));
  }
  if (report.stream) {
    tile("rows answered per second", NumberText(report.stream->rows_per_second));
    tile("times real time, each stream", NumberText(report.stream->real_time_factor));
  } else {
    tile("calls answered per second", NumberText(report.run.calls_per_second));
  }
  tile("seconds of audio per second", NumberText(report.run.audio_seconds_per_second));
  tile("p50", NumberText(report.run.latency.p50_ms) + " ms");
  tile("p99", NumberText(report.run.latency.p99_ms) + " ms");
  tile("p99.9", NumberText(report.run.latency.p999_ms) + " ms");
  tile(absl::StrCat("of ", NumberText(static_cast<double>(report.run.calls)),
                    report.stream ? " streams failed" : " calls failed"),
       NumberText(static_cast<double>(report.run.failed)));
  return html + "</div>\n";
}

std::string VerdictList(const Report& report) {
  std::string html;
  for (const std::string& verdict : Verdicts(report)) {
    const bool bad = verdict.rfind("MISSED", 0) == 0 || verdict.rfind("COUNTS NOT", 0) == 0;
    const bool note = verdict.rfind("counts not compared", 0) == 0;
    absl::StrAppend(&html, "<p class=\"verdict",
                    bad    ? " bad"
                    : note ? " note"
                           : "",
                    "\">", EscapeHtml(verdict), "</p>\n");
  }
  for (const std::string& note : report.notes) {
    absl::StrAppend(&html, "<p class=\"verdict note\">", EscapeHtml(note), "</p>\n");
  }
  return html;
}

std::string Errors(const Report& report) {
  const RunSummary& run = report.run;
  if (run.errors.empty()) return "";
  std::string html = report.stream ? "<h2>Streams that failed</h2>\n" : "<h2>Calls that failed</h2>\n";
  html += Header({"code", report.stream ? "streams" : "calls", "the first one's message"});
  for (const auto& [code, count] : run.errors) {
    const auto message = run.error_messages.find(code);
    absl::StrAppend(&html, "<tr>", Cell(code), Cell(NumberText(static_cast<double>(count))),
                    Cell(message == run.error_messages.end() ? "" : message->second, "words"), "</tr>\n");
  }
  return html + "</table>\n";
}

std::string Steps(const Report& report) {
  if (report.steps.empty()) return "";
  std::string html = "<h2>Rates tried</h2>\n" + Header({"rate", "offered /s", "answered /s", "p50 ms", "p99 ms",
                                                        "failed", "within the bound", ""});
  for (const KneeStep& step : report.steps) {
    absl::StrAppend(&html, "<tr>", Cell(NumberText(step.run.rate_per_second.value_or(0))),
                    Cell(NumberText(step.run.offered_per_second.value_or(0))),
                    Cell(NumberText(step.run.calls_per_second)), Cell(NumberText(step.run.latency.p50_ms)),
                    Cell(NumberText(step.run.latency.p99_ms)), Cell(NumberText(static_cast<double>(step.run.failed))));
    absl::StrAppend(&html, Cell(absl::StrFormat("%.2f %%", 100 * step.share_within_bound)),
                    Cell(step.passed ? "passed" : "not passed", step.passed ? "good" : "bad"), "</tr>\n");
  }
  return html + "</table>\n";
}

std::string Settings(const std::map<std::string, std::string>& settings) {
  std::string html = "<h2>How it was run</h2>\n<table>";
  for (const auto& [name, value] : settings) {
    absl::StrAppend(&html, "<tr>", Cell(name), Cell(value, "words"), "</tr>\n");
  }
  return html + "</table>\n";
}

std::string Plots(const std::vector<Report>& reports) {
  std::string html;
  for (const Plot& plot : PlotsOf(reports)) html += RenderPlot(plot);
  return html;
}

std::string Heading(const Report& report) {
  return absl::StrCat("<p class=\"sub\">", EscapeHtml(report.load), "</p>\n<p class=\"sub\">",
                      EscapeHtml(report.server_address), ", ", EscapeHtml(report.started), ", hearwire-load ",
                      EscapeHtml(report.version), "</p>\n");
}

}  // namespace

std::string ReportHtml(const Report& report) {
  std::string body = absl::StrCat("<h1>", EscapeHtml(report.name), "</h1>\n", Heading(report));
  if (report.knee) absl::StrAppend(&body, "<p><b>Knee</b>: ", EscapeHtml(KneeText(report)), ".</p>\n");
  absl::StrAppend(&body, Tiles(report), VerdictList(report), Errors(report), Plots({report}), Steps(report));
  if (HasRun(report)) absl::StrAppend(&body, "<h2>All figures</h2>\n<table>");
  for (const Figure& figure : FiguresOf(report)) {
    absl::StrAppend(&body, "<tr>", Cell(figure.name), Cell(FigureText(figure)), "</tr>\n");
  }
  absl::StrAppend(
      &body, HasRun(report) ? "</table>\n" : "",
      report.stream ? "<p class=\"sub\">Latencies are of rows. They count from when a row could be known: when "
                      "the last sample of its window was due or, as fast as possible, about to be sent."
                    : "<p class=\"sub\">Latencies count from the time a call was due, and calls that failed "
                      "count with the time they took.",
      report.run.as_made ? " In a closed loop, a caller that waits makes no calls: where a call stalled, p90 and above "
                           "count those that its caller would have made meanwhile, with the wait they would have had; "
                           "\"as made\" leaves them out."
                         : "",
      "</p>\n", Settings(report.settings));
  return Page(report.name, body);
}

std::string ComparisonHtml(const Report& base, const Report& other) {
  Report one = base, two = other;
  if (one.name == two.name) {
    one.name += " (first)";
    two.name += " (second)";
  }
  const std::string title = absl::StrCat(one.name, " and ", two.name);
  std::string body = absl::StrCat("<h1>", EscapeHtml(title), "</h1>\n", Heading(one),
                                  one.load == two.load && one.server_address == two.server_address ? "" : Heading(two));
  for (const std::string& note : ComparisonNotes(one, two)) {
    absl::StrAppend(&body, "<p class=\"verdict note\">", EscapeHtml(note), "</p>\n");
  }
  // Said above, with the report's name.
  one.notes.clear();
  two.notes.clear();
  absl::StrAppend(&body, "<h2>Figures</h2>\n", Header({"", one.name, two.name, "change"}));
  const auto row = [&](const std::string& name, const std::string& unit, double first, double second, Better better) {
    const double change = first != 0 ? (second - first) / first : 0;
    const bool told = better != Better::kNeither && std::abs(change) >= 0.05;
    const bool good = (change < 0) == (better == Better::kLower);
    absl::StrAppend(&body, "<tr>", Cell(absl::StrCat(name, unit.empty() ? "" : ", ", unit)), Cell(NumberText(first)),
                    Cell(NumberText(second)),
                    Cell(first != 0 ? absl::StrFormat("%+.1f %%", 100 * change) : "", !told  ? ""
                                                                                      : good ? "good"
                                                                                             : "bad"),
                    "</tr>\n");
  };
  if (one.knee && two.knee && one.knee->per_second && two.knee->per_second) {
    row("knee", "calls/s", *one.knee->per_second, *two.knee->per_second, Better::kHigher);
  }
  const std::vector<Figure> figures = FiguresOf(two);
  for (const Figure& figure : FiguresOf(one)) {
    const auto same = std::find_if(figures.begin(), figures.end(),
                                   [&](const Figure& candidate) { return candidate.name == figure.name; });
    if (same != figures.end()) row(figure.name, figure.unit, figure.value, same->value, figure.better);
  }
  absl::StrAppend(&body, "</table>\n", Plots({one, two}));
  for (const Report& report : {one, two}) {
    const std::string verdicts = VerdictList(report);
    if (!verdicts.empty()) absl::StrAppend(&body, "<h2>", EscapeHtml(report.name), "</h2>\n", verdicts);
  }
  return Page(title, body);
}

}  // namespace hearwire::load
