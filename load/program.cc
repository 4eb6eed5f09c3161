#include "load/program.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/cli/inputs.h"
#include "client/client.h"
#include "client/error_details.h"
#include "load/count_check.h"
#include "load/knee_search.h"
#include "load/live_terminal.h"
#include "load/report_text.h"
#include "load/server_metrics.h"
#include "load/stream_report.h"
#include "server/concurrency/steady_time.h"

namespace hearwire::load {
namespace {

// Of the short closed loop that says where the search for the knee begins.
constexpr int kProbeConcurrency = 16;
constexpr absl::Duration kProbeDuration = absl::Seconds(2);
// The longest wait for the first answer; the connection's own limit is shorter.
constexpr absl::Duration kFirstAnswer = absl::Seconds(10);
// The server counts a call before it answers: counts differ for longer only where it ends calls that nobody waits for.
constexpr absl::Duration kCountsSettle = absl::Seconds(3);

absl::StatusOr<std::vector<client::ConfigInfo>> AskForConfigs(client::ClientOptions options) {
  const std::string server = options.server;
  options.deadline = kFirstAnswer;
  options.max_attempts = 1;
  const SteadyTime asked = SteadyTime::Now();
  absl::StatusOr<std::unique_ptr<client::Client>> client = client::Client::Create(std::move(options));
  if (!client.ok()) return client.status();
  absl::StatusOr<std::vector<client::ConfigInfo>> configs = (*client)->ListConfigs();
  if (configs.ok() || !client::IsUnreachable(configs.status())) return configs;
  const std::string message(configs.status().message());
  if (message.find("timed out") != std::string::npos) {
    return absl::UnavailableError(absl::StrFormat("what is at %s does not answer within %.0f s: stopped, or stuck?",
                                                  server, absl::ToDoubleSeconds(SteadyTime::Now() - asked)));
  }
  if (message.rfind("no server at ", 0) != 0) return configs;
  return absl::UnavailableError(
      absl::StrCat("no server at ", server, ": start one with hearwire-server, or name another with --server"));
}

std::string MachineText() {
  double load = 0;
  getloadavg(&load, 1);
  return absl::StrFormat("%d processors, load average %.2f before the run", std::thread::hardware_concurrency(), load);
}

// Runs of one load against one server.
class Session {
 public:
  Session(const ProgramOptions& options, Workload workload, std::vector<std::shared_ptr<grpc::Channel>> connections,
          const std::stop_token& stop)
      : options_(options), workload_(std::move(workload)), connections_(std::move(connections)), stop_(stop) {}

  struct Run {
    Measurement measurement;
    RunSummary summary;
  };
  // Makes a run. count_check() then tells about it and all before.
  absl::StatusOr<Run> Make(const LoadOptions& load, const std::string& label);

  // Searches, fills the report's steps and knee, and returns the run at that knee; absent when there is none.
  absl::StatusOr<std::optional<Run>> SearchKnee(Report* report);

  bool stopped() const { return stop_.stop_requested(); }
  const std::optional<CountCheck>& count_check() const { return count_check_; }

 private:
  // Sets count_check_. Returns the server's metrics; absent when they could not be read any more.
  std::optional<MetricsPage> CompareCounts();
  absl::StatusOr<double> FirstRate();

  const ProgramOptions& options_;
  const Workload workload_;
  const std::vector<std::shared_ptr<grpc::Channel>> connections_;
  const std::stop_token stop_;
  // Of all runs together: a server may count a call that nobody waits for in the next one.
  Totals totals_;
  std::optional<MetricsPage> first_page_;
  std::optional<CountCheck> count_check_;
  LiveTerminal terminal_;
};

absl::StatusOr<Session::Run> Session::Make(const LoadOptions& load, const std::string& label) {
  absl::StatusOr<MetricsPage> before = MetricsPage();
  bool with_metrics = !options_.metrics_url.empty();
  if (with_metrics) before = FetchMetrics(options_.metrics_url);
  if (!before.ok()) {
    if (!first_page_) return before.status();
    with_metrics = false;  // What was measured so far is not thrown away.
  }
  std::function<void(const Progress&)> show;
  if (terminal_.is_terminal()) {
    show = [&](const Progress& progress) {
      terminal_.Show(label + LiveLine(progress, load, terminal_.columns() - 1 - static_cast<int>(label.size())));
    };
  }
  Run run;
  if (with_metrics && !first_page_) first_page_ = *before;
  run.measurement = RunLoad(load, workload_, connections_, stop_, show);
  terminal_.Clear();
  totals_.Add(run.measurement.totals);
  std::optional<MetricsPage> after;
  if (with_metrics) after = CompareCounts();
  run.summary = Summarise(run.measurement, load, after ? &*before : nullptr, after ? &*after : nullptr);
  return run;
}

std::optional<MetricsPage> Session::CompareCounts() {
  const SteadyTime give_up = SteadyTime::Now() + kCountsSettle;
  while (true) {
    absl::StatusOr<MetricsPage> after = FetchMetrics(options_.metrics_url);
    if (!after.ok()) {
      if (!count_check_) count_check_.emplace();
      count_check_->differences.emplace_back(after.status().message());
      return std::nullopt;
    }
    count_check_ = CheckCounts(totals_, *first_page_, *after);
    if (!count_check_->agrees() && SteadyTime::Now() < give_up) {
      absl::SleepFor(absl::Milliseconds(100));
      continue;
    }
    return *std::move(after);
  }
}

absl::StatusOr<double> Session::FirstRate() {
  if (options_.load.rate) return *options_.load.rate;
  LoadOptions probe = options_.load;
  probe.concurrency = std::min(kProbeConcurrency, probe.concurrency);
  probe.warm_up = absl::ZeroDuration();
  probe.duration = kProbeDuration;
  const absl::StatusOr<Run> run = Make(probe, "");
  if (!run.ok()) return run.status();
  if (stopped()) return 1;  // Not to be tried.
  std::fprintf(options_.words(), "%d callers at once have %.4g calls/s answered; rates from a quarter of that\n",
               probe.concurrency, run->summary.calls_per_second);
  std::fflush(options_.words());
  return std::max(run->summary.calls_per_second / 4, 0.1);
}

absl::StatusOr<std::optional<Session::Run>> Session::SearchKnee(Report* report) {
  const absl::Duration bound = *options_.knee_p99;
  const absl::StatusOr<double> first = FirstRate();
  if (!first.ok()) return first.status();
  KneeSearch search(*first);
  std::map<double, Run> passed;  // By rate, the last one there.
  while (const std::optional<double> rate = search.Next()) {
    if (stopped()) break;
    LoadOptions load = options_.load;
    load.rate = *rate;
    load.seed += report->steps.size();
    absl::StatusOr<Run> run = Make(load, absl::StrFormat("%.4g/s: ", *rate));
    if (!run.ok()) return run.status();
    if (stopped()) break;
    KneeStep step{
        .run = run->summary, .share_within_bound = ShareWithin(run->measurement, load, bound), .passed = false};
    step.passed = step.share_within_bound >= 0.99;
    search.Tell(step.passed);
    std::fprintf(options_.words(), "%s\n", StepText(step).c_str());
    std::fflush(options_.words());
    report->steps.push_back(std::move(step));
    if (report->steps.back().passed) passed.insert_or_assign(*rate, *std::move(run));
  }
  const bool interrupted = search.Next().has_value();
  report->knee = Knee{.bound_ms = absl::ToDoubleMilliseconds(bound),
                      .per_second = interrupted ? search.best() : search.knee(),
                      .interrupted = interrupted};
  if (!report->knee->per_second) return std::nullopt;
  return std::move(passed.at(*report->knee->per_second));
}

std::string NameOf(const ProgramOptions& options) {
  if (!options.name.empty()) return options.name;
  if (!options.json_file.empty() && options.json_file != "-")
    return std::filesystem::path(options.json_file).stem().string();
  return "hearwire-load";
}

Report NewReport(const ProgramOptions& options) {
  Report report;
  report.name = NameOf(options);
  report.version = HEARWIRE_VERSION;
  report.started = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  report.server_address = options.server;
  report.settings = options.settings;
  report.settings["machine of the generator"] = MachineText();
  return report;
}

std::string LoadText(const ProgramOptions& options, const Workload& workload) {
  const LoadOptions& load = options.load;
  std::string text = workload.description();
  absl::StrAppend(&text, absl::StrFormat(", %.3g s of audio a call", workload.MeanAudioSeconds()));
  if (options.knee_p99) {
    absl::StrAppend(&text, ", rising rates");
  } else if (load.rate) {
    absl::StrAppend(&text, absl::StrFormat(", %g calls per second (open loop, %s)", *load.rate,
                                           load.arrivals == ArrivalKind::kPoisson ? "Poisson" : "constant"));
  } else {
    absl::StrAppend(&text, absl::StrFormat(", %d callers (closed loop)", load.concurrency));
  }
  if (load.cancel_share > 0) absl::StrAppend(&text, absl::StrFormat(", %g %% cancelled", 100 * load.cancel_share));
  return text;
}

}  // namespace

absl::StatusOr<Report> MakeReport(const ProgramOptions& options, const std::stop_token& stop) {
  const absl::StatusOr<client::ClientOptions> connection = ConnectionOf(options);
  if (!connection.ok()) return connection.status();
  const absl::StatusOr<std::vector<client::ConfigInfo>> served = AskForConfigs(*connection);
  if (!served.ok()) return served.status();
  if (options.streams) {
    Report report = NewReport(options);
    absl::Status wrong = FillStreamReport(options, *served, stop, &report);
    if (!wrong.ok()) return wrong;
    return report;
  }
  WorkloadOptions workload_options = options.workload;
  if (!options.clips.empty()) {
    const absl::StatusOr<cli::Inputs> inputs = cli::FindInputs(options.clips);
    if (!inputs.ok()) return inputs.status();
    for (const cli::Input& input : inputs->files) workload_options.files.push_back(input.path);
  }
  absl::StatusOr<Workload> workload = Workload::Create(workload_options, *served);
  if (!workload.ok()) return workload.status();

  Report report = NewReport(options);
  report.load = LoadText(options, *workload);

  auto connections = Connect(*connection, options.connections);
  if (!connections.ok()) return connections.status();
  Session session(options, *std::move(workload), *std::move(connections), stop);
  LoadOptions load = options.load;
  std::optional<Session::Run> run;
  if (options.knee_p99) {
    absl::StatusOr<std::optional<Session::Run>> found = session.SearchKnee(&report);
    if (!found.ok()) return found.status();
    run = *std::move(found);
    load.rate = report.knee->per_second;
  } else {
    absl::StatusOr<Session::Run> made = session.Make(load, "");
    if (!made.ok()) return made.status();
    run = *std::move(made);
  }
  report.count_check = session.count_check();
  if (run) {
    report.run = run->summary;
    report.percentiles = PercentilePoints(run->measurement, load);
    report.intervals = IntervalPoints(run->measurement);
    report.notes = Notes(run->measurement, load);
    report.objectives = Judge(options.objectives, run->measurement, load, run->summary);
  } else if (!report.knee->interrupted) {
    report.objectives = Judge(options.objectives, Measurement(), load, RunSummary());
    report.notes.emplace_back("No rate passed: there is no run to show.");
  }
  if (report.knee && report.knee->interrupted) {
    report.notes.emplace_back(
        run ? "The search was interrupted: the figures are those of the highest rate that had passed, higher ones may "
              "pass, and it may fail when it is tried again."
            : "The search was interrupted before any rate had passed: there is no run to show.");
  }
  return report;
}

}  // namespace hearwire::load
