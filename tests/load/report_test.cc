#include "load/report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "load/figures.h"
#include "load/plot.h"
#include "load/plots_of.h"
#include "load/report_html.h"
#include "load/report_text.h"
#include "nlohmann/json.hpp"

namespace hearwire::load {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

Measurement Steady(absl::Duration latency, int calls) {
  Measurement measurement;
  measurement.measured = absl::Seconds(10);
  measurement.calls = measurement.succeeded = measurement.completed = calls;
  measurement.completed_audio_seconds = 2 * calls;
  measurement.latency.Record(latency, calls);
  measurement.succeeded_latency.Record(latency, calls);
  return measurement;
}

Report Whole() {
  Measurement measurement = Steady(absl::Milliseconds(10), 1000);
  measurement.failed[absl::StatusCode::kNotFound] = 3;
  measurement.messages[absl::StatusCode::kNotFound] = "no config is called <b>x</b>";
  const LoadOptions options = {.rate = 100};
  Report report;
  report.name = "batched";
  report.load = "scene of a & b";
  report.run = Summarise(measurement, options, nullptr, nullptr);
  report.percentiles = PercentilePoints(measurement, options);
  report.intervals = {{0, 100, 99, 1, 10, 20}, {1, 100, 101, 0, 10, 1000}};
  report.steps = {{report.run, 0.999, true}};
  report.steps[0].run.server = ServerSummary{.cpu_ms_per_call = 1.25};
  report.knee = Knee{50, 80};
  report.count_check = CountCheck{.exact = true, .sent = 1003, .differences = {"GetTags, OK: 1"}};
  report.objectives = {{"p99", "99 % of calls succeed within 100ms", "98 %", false}};
  report.notes = {"few calls"};
  report.settings = {{"--rate", "100"}};
  return report;
}

TEST(ReportTest, LatenciesStandInTheJsonInMilliseconds) {
  const auto json = nlohmann::json::parse(ToJson(Whole()));
  EXPECT_EQ(json["p50_ms"], 10.0);
  EXPECT_EQ(json["p99_ms"], 10.0);
  EXPECT_EQ(json["p999_ms"], 10.0);
  EXPECT_EQ(json["calls_per_second"], 100.0);
  EXPECT_EQ(json["audio_seconds_per_second"], 200.0);
  EXPECT_EQ(json["errors"]["NOT_FOUND"], 3);
  EXPECT_EQ(json["count_check"]["agrees"], false);
  EXPECT_EQ(json["steps"][0]["p99_ms"], 10.0);
}

TEST(ReportTest, OfferedIsWhatWasDueBesideTheRateThatWasAskedFor) {
  Report report = Whole();
  report.run = Summarise(Steady(absl::Milliseconds(10), 1500), {.rate = 100}, nullptr, nullptr);
  report.steps[0].run = report.run;
  const auto json = nlohmann::json::parse(ToJson(report));
  EXPECT_EQ(json["rate_per_second"], 100.0);
  EXPECT_EQ(json["offered_per_second"], 150.0);
  EXPECT_THAT(ReportText(report), ContainsRegex("rate +100 calls/s\n +offered +150 calls/s"));
  EXPECT_THAT(StepText(report.steps[0]), HasSubstr("rate 100: 150 calls/s offered"));
  EXPECT_THAT(ReportHtml(report), HasSubstr("<td>100</td><td>150</td>"));
  EXPECT_EQ(PlotsOf({report}).front().lines.front().points.front().x, 150);
  EXPECT_FALSE(Summarise(Steady(absl::Milliseconds(10), 1500), {}, nullptr, nullptr).offered_per_second);
}

TEST(ReportTest, ReadsItsOwnJson) {
  const std::string json = ToJson(Whole());
  const auto read = ReportFromJson(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToJson(*read), json);
}

TEST(ReportTest, RefusesOtherFiles) {
  for (const char* text : {"", "{", "[]", "{\"program\": \"wrk\"}"}) EXPECT_FALSE(ReportFromJson(text).ok()) << text;
  EXPECT_FALSE(ReportFromJson("{\"program\": \"hearwire-load\", \"calls\": \"many\"}").ok());
}

TEST(ReportTest, AStallShowsInAClosedLoopToo) {
  // One caller: 9 s at 1 ms a call, and one call that takes a second.
  Measurement measurement = Steady(absl::Milliseconds(1), 9000);
  measurement.latency.Record(absl::Seconds(1));
  const RunSummary run = Summarise(measurement, {.concurrency = 1}, nullptr, nullptr);
  ASSERT_TRUE(run.as_made);
  EXPECT_NEAR(run.as_made->p99_ms, 1, 0.01);
  EXPECT_NEAR(run.latency.p50_ms, 1, 0.01);
  // A tenth of the time was the stall: who came at any moment of it waited for its rest.
  EXPECT_NEAR(run.latency.p99_ms, 900, 20);
  // What the callers saw of it is one call.
  EXPECT_EQ(run.latency.p50_ms, run.as_made->p50_ms);
  EXPECT_EQ(run.latency.mean_ms, run.as_made->mean_ms);
  EXPECT_THAT(Notes(measurement, {.concurrency = 1}),
              ElementsAre(HasSubstr("A stall: 1 of the calls took longer than 100 ms")));
}

TEST(ReportTest, AServerThatCountedNothingHasNoTimePerCall) {
  const MetricsPage page = ParseMetrics("process_cpu_seconds_total 3\n");
  Report report = Whole();
  report.run = Summarise(Steady(absl::Seconds(1), 10), {.rate = 10}, &page, &page);
  EXPECT_FALSE(report.run.server->cpu_ms_per_call);
  EXPECT_THAT(ReportText(report), Not(HasSubstr("server CPU per call")));
  EXPECT_TRUE(ReportFromJson(ToJson(report)).ok());
}

TEST(ReportTest, AnInterruptedSearchTellsTheBestRateThatPassed) {
  Report report = Whole();
  report.knee = Knee{.bound_ms = 50, .per_second = 80, .interrupted = true};
  EXPECT_THAT(ReportText(report),
              HasSubstr("unconfirmed, the search was interrupted: so far the highest rate whose p99 "
                        "stayed within 50 ms: 80 calls per second"));
  EXPECT_THAT(ReportHtml(report), HasSubstr("calls per second, unconfirmed"));
  EXPECT_EQ(nlohmann::json::parse(ToJson(report))["knee"]["interrupted"], true);
  EXPECT_TRUE(ReportFromJson(ToJson(report))->knee->interrupted);
}

TEST(ReportTest, TellsWhichCallsWereNotCompared) {
  Report report = Whole();
  report.count_check =
      CountCheck{.sent = 15, .answered = 10, .failed_locally = 5, .not_compared = 5, .differences = {}};
  EXPECT_THAT(Verdicts(report), IsSupersetOf({"counts agree with the server's: 10 calls, each method, config and code",
                                              "counts not compared: 5 calls were refused by gRPC before the server "
                                              "could count them"}));
  EXPECT_EQ(ReportFromJson(ToJson(report))->count_check->not_compared, 5);
  report.count_check = CountCheck{.sent = 5, .failed_locally = 5, .not_compared = 5, .differences = {}};
  EXPECT_THAT(ReportText(report), HasSubstr("counts not compared: all 5 calls were refused by gRPC"));
  EXPECT_THAT(ReportText(report), Not(HasSubstr("agree")));
}

TEST(ReportTest, ASearchThatFoundNothingShowsNoFigures) {
  Report report = Whole();
  report.run = RunSummary();
  report.knee = Knee{.bound_ms = 50, .per_second = std::nullopt};
  EXPECT_THAT(ReportText(report), HasSubstr("no rate that was tried has a p99 within 50 ms"));
  report.knee->interrupted = true;
  EXPECT_THAT(ReportText(report), HasSubstr("interrupted before any rate had passed"));
  for (const std::string& text : {ReportText(report), ReportHtml(report)}) EXPECT_THAT(text, Not(HasSubstr("slowest")));
  EXPECT_FALSE(nlohmann::json::parse(ToJson(report)).contains("p99_ms"));
  EXPECT_TRUE(ReportFromJson(ToJson(report)).ok());
}

TEST(ReportTest, AnOpenLoopsLatenciesAreTakenAsTheyAre) {
  Measurement measurement = Steady(absl::Milliseconds(1), 9000);
  measurement.latency.Record(absl::Seconds(1));
  const RunSummary run = Summarise(measurement, {.rate = 900}, nullptr, nullptr);
  EXPECT_FALSE(run.as_made);
  EXPECT_NEAR(run.latency.p99_ms, 1, 0.01);
}

TEST(ReportTest, TheServersSideIsTheGrowthOfItsMetrics) {
  const auto page = [](int calls, double cpu) {
    return ParseMetrics("process_cpu_seconds_total " + std::to_string(cpu) + "\nhearwire_requests_total{code=\"OK\"} " +
                        std::to_string(calls) + "\nhearwire_batch_windows_sum " + std::to_string(5 * calls) +
                        "\nhearwire_batch_windows_count " + std::to_string(calls) + "\n");
  };
  Measurement measurement = Steady(absl::Milliseconds(1), 100);
  measurement.totals.answered = 10;  // The others expired: the server worked on them, too.
  measurement.elapsed = absl::Seconds(10);
  const MetricsPage before = page(50, 1), after = page(150, 3);
  const RunSummary run = Summarise(measurement, {.rate = 10}, &before, &after);
  ASSERT_TRUE(run.server);
  ASSERT_TRUE(run.server->cpu_ms_per_call);
  EXPECT_NEAR(*run.server->cpu_ms_per_call, 20, 1e-6);
  EXPECT_NEAR(run.server->cpu_cores, 0.2, 1e-6);
  EXPECT_EQ(run.server->windows_per_batch, 5);
}

TEST(ReportTest, NothingIsSaidOfAServerThatWasRestarted) {
  const auto page = [](int start) {
    return ParseMetrics("process_cpu_seconds_total 3\nprocess_start_time_seconds " + std::to_string(start) + "\n");
  };
  const MetricsPage before = page(100), same = page(100), after = page(200);
  EXPECT_TRUE(Summarise(Steady(absl::Seconds(1), 10), {.rate = 10}, &before, &same).server);
  EXPECT_FALSE(Summarise(Steady(absl::Seconds(1), 10), {.rate = 10}, &before, &after).server);
}

TEST(ReportTest, ThePageNeedsNothingButItself) {
  const std::string html = ReportHtml(Whole());
  for (const char* reference : {"<script", "src=", "href=", "url(", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(reference)));
  }
  EXPECT_THAT(html, HasSubstr("no config is called &lt;b&gt;x&lt;/b&gt;"));
  EXPECT_THAT(html, HasSubstr("MISSED: 99 % of calls succeed within 100ms (98 %)"));
  EXPECT_THAT(html, HasSubstr("COUNTS NOT CONFIRMED"));
  for (const char* title : {"Throughput against offered rate", "Latency by percentile", "Latency over time"}) {
    EXPECT_THAT(html, HasSubstr(title));
  }
}

TEST(ReportTest, ComparesTwoReports) {
  Report other = Whole();
  other.name = "alone";
  other.run.latency.p99_ms = 15;
  other.knee->per_second = 40;
  const std::string text = ComparisonText(Whole(), other);
  EXPECT_THAT(text, HasSubstr("+50.0 %"));
  EXPECT_THAT(text, HasSubstr("-50.0 %"));
  const std::string html = ComparisonHtml(Whole(), other);
  EXPECT_THAT(html, HasSubstr("batched, p99"));
  EXPECT_THAT(html, HasSubstr("alone, p99"));
}

TEST(ReportTest, NotesTheSameOfAComparisonInTextAndOnThePage) {
  Report other = Whole();
  other.name = "alone";
  other.load = "4 callers & more";
  other.notes = {"17 calls are few"};
  const std::vector<std::string> notes = ComparisonNotes(Whole(), other);
  EXPECT_THAT(notes, testing::ElementsAre(testing::StartsWith("the loads differ: "), "batched: few calls",
                                          "alone: 17 calls are few"));
  const std::string text = ComparisonText(Whole(), other);
  const std::string html = ComparisonHtml(Whole(), other);
  for (const std::string& note : notes) {
    EXPECT_THAT(text, HasSubstr("note: " + note + "\n"));
    EXPECT_THAT(html, HasSubstr("<p class=\"verdict note\">" + EscapeHtml(note) + "</p>"));
  }
}

TEST(ReportTest, TheLiveLineFitsTheTerminalWithWhatMattersMost) {
  const Progress progress = {.elapsed = absl::Seconds(12),
                             .draining = true,
                             .sent = 123456,
                             .in_flight = 4000,
                             .failed = 17,
                             .p50 = absl::Milliseconds(12),
                             .p99 = absl::Milliseconds(345)};
  EXPECT_EQ(LiveLine(progress, {}, 200),
            "12 of 12 s (last calls), p99 345 ms, p50 12 ms, 17 failed, 9,955/s, 4000 in flight, 123456 sent");
  EXPECT_EQ(LiveLine(progress, {}, 60), "12 of 12 s (last calls), p99 345 ms, p50 12 ms, 17 failed");
  EXPECT_EQ(LiveLine(progress, {}, 40), "12 of 12 s (last calls), p99 345 ms");
  EXPECT_EQ(LiveLine(progress, {}, 5), "12 of");
}

}  // namespace
}  // namespace hearwire::load
