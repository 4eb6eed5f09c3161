#include "load/program_options.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace hearwire::load {
namespace {

constexpr int kMostInFlight = 65536;
constexpr int kOpenLoopInFlight = 4096;
constexpr int kMostStreams = 1024;

[[noreturn]] void Refuse(const std::string& what) { throw CLI::ValidationError(what, 1); }

absl::Duration ParseTime(const std::string& flag, const std::string& text, absl::Duration least) {
  absl::Duration time;
  if (double seconds = 0; absl::SimpleAtod(text, &seconds) && std::isfinite(seconds)) {
    time = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &time)) {
    Refuse(absl::StrCat(flag, " ", text, ": seconds, or a time such as 500ms or 2m, would be right"));
  }
  if (time >= least && time <= absl::Hours(24)) return time;
  Refuse(absl::StrCat(flag, " ", text, ": it must be from ", absl::FormatDuration(least), " to 24h"));
}

double ParseShare(const std::string& flag, const std::string& text) {
  absl::string_view number = text;
  const double whole = absl::ConsumeSuffix(&number, "%") ? 100 : 1;
  double value = 0;
  if (absl::SimpleAtod(number, &value) && value >= 0 && value <= whole) return value / whole;
  Refuse(absl::StrCat(flag, " ", text, ": a share such as 0.01 or 1% would be right"));
}

CallKind ParseKind(const std::string& text) {
  for (const CallKind kind : {CallKind::kScene, CallKind::kTimestamps, CallKind::kTags, CallKind::kConfigs}) {
    if (text == KindName(kind)) return kind;
  }
  Refuse(absl::StrCat("--kind ", text, ": it must be scene, timestamps, tags or configs, or stream alone"));
}

// "a=3,b": names with their weights.
std::vector<Weighted<std::string>> ParseMix(const std::string& flag, const std::vector<std::string>& words) {
  std::vector<Weighted<std::string>> mix;
  for (const std::string& word : words) {
    const std::vector<std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    Weighted<std::string> value{parts[0], 1};
    if (parts.size() == 2 &&
        (!absl::SimpleAtod(parts[1], &value.weight) || !(value.weight > 0) || !std::isfinite(value.weight))) {
      Refuse(absl::StrCat(flag, " ", word, ": a name, or NAME=WEIGHT with a weight above 0, would be right"));
    }
    mix.push_back(std::move(value));
  }
  return mix;
}

class Flags {
 public:
  explicit Flags(ProgramOptions* options) : options_(*options) {
    app_.set_version_flag("--version", "hearwire-load " HEARWIRE_VERSION, "Print the version and end");
    app_.set_help_flag("--help,-h", "Print this and end");
    app_.get_formatter()->column_width(36);
    app_.footer(
        "TIME is seconds, or has a unit: 500ms, 2m. SHARE is 0.01 or 1%.\n"
        "Calls that fail or expire count in the percentiles, with the time they took. Nothing is tried twice without "
        "--max-attempts.\n"
        "Exit codes: 0 done, 1 wrong flags or cannot run, 2 an objective is missed, 3 the server's counts do not "
        "confirm these, "
        "128+n ended by signal n.");
    AddLoadFlags();
    AddCallFlags();
    AddReportFlags();
  }

  void Parse(int argc, const char* const* argv) {
    app_.allow_extras();
    app_.parse(argc, argv);
    if (const std::vector<std::string> extras = app_.remaining(); !extras.empty()) {
      Refuse(absl::StrCat("there is no flag ", extras.front()));
    }
    if (!options_.compare.empty()) RefuseWithCompare();
    RefuseSameFile();
    SettleStreams();
    if (closed_concurrency_ > 0) {
      options_.load.concurrency = closed_concurrency_;
    } else if (options_.load.rate || options_.knee_p99) {
      options_.load.concurrency = kOpenLoopInFlight;
    }
    for (const CLI::Option* option : app_.get_options()) {
      if (option->count() == 0) continue;
      const std::string name = option->get_name();
      if (name != "--json" && name != "--html") options_.settings[name] = absl::StrJoin(option->results(), " ");
    }
  }

  std::string Help() { return app_.help(); }

 private:
  template <typename Set>
  CLI::Option* Add(const std::string& flag, const char* type, const std::string& help, Set set) {
    return app_.add_option_function<std::string>("--" + flag, std::move(set), help)
        ->type_name(type)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  void AddTime(const std::string& flag, const std::string& help, absl::Duration least, absl::Duration* field) {
    Add(flag, "TIME", absl::StrCat(help, " [", absl::FormatDuration(*field), "]"),
        [=](const std::string& text) { *field = ParseTime("--" + flag, text, least); });
  }

  template <typename Number>
  CLI::Option* AddNumber(const std::string& flag, const char* type, const std::string& help, Number least, Number most,
                         Number* field) {
    return app_.add_option("--" + flag, *field, help)
        ->type_name(type)
        ->check(CLI::Range(least, most).description(""))
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  void AddLoadFlags();
  void AddCallFlags();
  void AddReportFlags();

  void RefuseWithCompare();
  void RefuseSameFile();
  // Fills what streams are made of; refuses flags that mean nothing to them, or to calls.
  void SettleStreams();

  ProgramOptions& options_;
  int closed_concurrency_ = 0;
  absl::Duration stream_piece_ = StreamLoad().piece;
  bool stream_real_time_ = true;
  CLI::App app_{"Makes calls of a Hearwire server, and says how it bore them.", "hearwire-load"};
};

void Flags::AddLoadFlags() {
  LoadOptions& load = options_.load;
  app_.add_option("--server", options_.server,
                  "The server: HOST:PORT, https://HOST:PORT or unix:/path/to/socket; several with commas between")
      ->envname("HEARWIRE_SERVER")
      ->capture_default_str()
      ->type_name("ADDRESS");
  cli::AddSecurityOptions(app_, options_.security);
  Add("rate", "NUMBER", "Open loop: calls per second, due whether or not earlier ones have ended",
      [&load](const std::string& text) {
        double rate = 0;
        if (!absl::SimpleAtod(text, &rate) || !(rate >= 0.001) || rate > 1e6) {
          Refuse(absl::StrCat("--rate ", text, ": it must be calls per second, from 0.001 to 1000000"));
        }
        load.rate = rate;
      });
  Add("arrivals", "poisson|constant", "When calls of an open loop are due [poisson]", [&load](const std::string& text) {
    if (text != "poisson" && text != "constant") {
      Refuse(absl::StrCat("--arrivals ", text, ": it must be poisson or constant"));
    }
    load.arrivals = text == "poisson" ? ArrivalKind::kPoisson : ArrivalKind::kConstant;
  });
  AddNumber(
      "concurrency", "NUMBER",
      absl::StrFormat("Closed loop: callers, each making its next call when its last has ended [%d]; with --rate, "
                      "the most calls in flight [%d]",
                      load.concurrency, kOpenLoopInFlight),
      1, kMostInFlight, &closed_concurrency_);
  AddTime("duration", "How long to measure, after the warm-up", absl::Milliseconds(1), &load.duration);
  AddTime("warm-up", "How long calls are made before that", absl::ZeroDuration(), &load.warm_up);
  AddNumber("max-calls", "NUMBER", "The run ends early there [1000000]", int64_t{1}, int64_t{1'000'000'000},
            &load.max_calls);
  AddTime("deadline", "Of each call, from when it is due", absl::Milliseconds(1), &load.deadline);
  Add("cancel", "SHARE", "Of the calls, that are cancelled [0]",
      [&load](const std::string& text) { load.cancel_share = ParseShare("--cancel", text); });
  AddTime("cancel-after", "When those are, from when they are due", absl::ZeroDuration(), &load.cancel_after);
  Add("knee-p99", "TIME",
      "Search the highest --rate whose p99 stays within this; --duration and --warm-up are each step's",
      [this](const std::string& text) { options_.knee_p99 = ParseTime("--knee-p99", text, absl::Microseconds(1)); });
  AddNumber("connections", "NUMBER", "Connections that share the calls [8]", 1, 1024, &options_.connections);
  AddNumber("max-attempts", "NUMBER", "Of each call: more than 1 makes those again that find no server or no room [1]",
            1, 5, &options_.max_attempts);
  AddNumber("seed", "NUMBER", "The same seed makes the same arrivals, clips and order [1]", uint64_t{0},
            uint64_t{1} << 62, &load.seed);
}

void Flags::AddCallFlags() {
  WorkloadOptions& workload = options_.workload;
  app_.add_option_function<std::vector<std::string>>(
          "--kind",
          [this, &workload](const std::vector<std::string>& words) {
            workload.kinds.clear();
            if (words == std::vector<std::string>{"stream"}) {
              options_.streams.emplace();
              return;
            }
            for (const Weighted<std::string>& kind : ParseMix("--kind", words)) {
              workload.kinds.push_back({ParseKind(kind.value), kind.weight});
            }
          },
          "scene, timestamps, tags or configs, or a mix: scene=3,tags=1 [scene]; or stream: --concurrency of them, "
          "each for the whole run")
      ->delimiter(',')
      ->type_name("KIND");
  app_.add_option_function<std::vector<std::string>>(
          "--config",
          [&workload](const std::vector<std::string>& words) { workload.configs = ParseMix("--config", words); },
          "Config, or a mix: mn04_all_b_mel_avgs=2,mn10_all_b_mel_avgs=1 [the server's default]")
      ->delimiter(',')
      ->type_name("NAME");
  CLI::Option* lengths =
      Add("clip-seconds", "LENGTHS",
          "Of clips of noise: 1.5, or 0.2,1,10, uniform:LEAST,MOST, exponential:MEAN, lognormal:MEDIAN,SIGMA [1]",
          [&workload](const std::string& text) {
            absl::StatusOr<ClipLengths> parsed = ClipLengths::Parse(text);
            if (!parsed.ok()) Refuse(absl::StrCat("--clip-seconds: ", parsed.status().message()));
            workload.lengths = *std::move(parsed);
          });
  app_.add_option("--clips", options_.clips, "Audio files, or folders of them, to send instead")
      ->excludes(lengths)
      ->type_name("PATH");
  AddNumber("clips-per-call", "NUMBER", "Clips in each call [1]", 1, 1 << 16, &workload.clips_per_call);
  AddNumber("sample-rate", "HERTZ", "Of clips and streams of noise [32000]", 1000, 384000, &workload.sample_rate_hz);
  AddTime("piece", "Of a stream: how much sound is sent at once", absl::Milliseconds(1), &stream_piece_);
  Add("pace", "real-time|fast", "When a stream's pieces are sent: as they sound, or as fast as possible [real-time]",
      [this](const std::string& text) {
        if (text != "real-time" && text != "fast") {
          Refuse(absl::StrCat("--pace ", text, ": it must be real-time or fast"));
        }
        stream_real_time_ = text == "real-time";
      });
}

void Flags::AddReportFlags() {
  app_.add_option("--metrics-url", options_.metrics_url,
                  "The server's metrics, http://HOST:8002/metrics: compares its counts, shows its CPU time and batches")
      ->type_name("URL");
  for (const auto& [flag, percentile] : std::vector<std::pair<std::string, double>>{
           {"objective-p50", 50}, {"objective-p90", 90}, {"objective-p99", 99}, {"objective-p999", 99.9}}) {
    Add(flag, "TIME", absl::StrFormat("%g %% of calls must succeed within it", percentile),
        [this, flag = flag, percentile = percentile](const std::string& text) {
          options_.objectives.latency[percentile] = ParseTime("--" + flag, text, absl::Microseconds(1));
        });
  }
  Add("objective-errors", "SHARE", "At most so many calls may fail",
      [this](const std::string& text) { options_.objectives.errors = ParseShare("--objective-errors", text); });
  for (const auto& [flag, field, help] :
       {std::tuple("objective-rate", &options_.objectives.calls_per_second, "Calls per second that must succeed"),
        std::tuple("objective-audio", &options_.objectives.audio_seconds_per_second,
                   "Seconds of audio per second that must succeed")}) {
    Add(flag, "NUMBER", help, [flag = flag, field = field](const std::string& text) {
      double number = 0;
      if (!absl::SimpleAtod(text, &number) || !(number >= 0)) {
        Refuse(absl::StrCat("--", flag, " ", text, ": a number, 0 or more, would be right"));
      }
      *field = number;
    });
  }
  app_.add_option("--name", options_.name, "Of the run, in reports and comparisons [the JSON file's name]")
      ->type_name("TEXT");
  app_.add_option("--json", options_.json_file, "Write the report to this file, as JSON; - is standard output")
      ->type_name("FILE");
  app_.add_option("--html", options_.html_file, "Write the report to this file, as a page with plots")
      ->type_name("FILE");
  app_.add_option("--compare", options_.compare, "Compare two JSON reports, instead of a run")
      ->expected(2)
      ->type_name("BASE.json OTHER.json");
}

// All flags but --html are of a run.
void Flags::RefuseWithCompare() {
  for (const CLI::Option* option : app_.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || name == "--compare" || name == "--html") continue;
    // Not from the command line.
    const char* environment = option->get_envname().empty() ? nullptr : std::getenv(option->get_envname().c_str());
    if (environment != nullptr && option->results() == std::vector<std::string>{environment}) continue;
    Refuse(absl::StrCat(name,
                        " does nothing with --compare, which makes no run: of the other flags, only --html goes "
                        "with it"));
  }
}

void Flags::RefuseSameFile() {
  if (options_.json_file.empty() || options_.html_file.empty()) return;
  const auto whole = [](const std::string& path) {
    std::error_code unknown;  // Then two names of one file are not seen to be that.
    const std::filesystem::path found = std::filesystem::weakly_canonical(std::filesystem::absolute(path), unknown);
    return unknown ? std::filesystem::path(path) : found;
  };
  if (whole(options_.json_file) != whole(options_.html_file)) return;
  Refuse(absl::StrCat("--json ", options_.json_file, " and --html ", options_.html_file,
                      " are the same file: each needs its own"));
}

void Flags::SettleStreams() {
  const std::vector<std::string> of_streams = {"--piece", "--pace"};
  const std::vector<std::string> of_calls = {
      "--rate",           "--arrivals",       "--max-calls",      "--deadline",
      "--cancel",         "--max-attempts",   "--cancel-after",   "--knee-p99",
      "--clip-seconds",   "--clips",          "--clips-per-call", "--objective-p50",
      "--objective-p90",  "--objective-p99",  "--objective-p999", "--objective-errors",
      "--objective-rate", "--objective-audio"};
  for (const std::string& name : options_.streams ? of_calls : of_streams) {
    if (app_.get_option(name)->count() == 0) continue;
    Refuse(absl::StrCat(name, options_.streams ? " does nothing with --kind stream" : " needs --kind stream"));
  }
  if (!options_.streams) return;
  StreamLoad& streams = *options_.streams;
  const auto& configs = options_.workload.configs;
  if (configs.size() > 1) Refuse("--config: streams have one config, not a mix");
  streams.config = configs.front().value;
  if (closed_concurrency_ > 0) streams.streams = closed_concurrency_;
  if (streams.streams > kMostStreams) {
    Refuse(
        absl::StrCat("--concurrency ", streams.streams, ": at most ", kMostStreams, " streams, of two threads each"));
  }
  streams.piece = stream_piece_;
  streams.real_time = stream_real_time_;
  streams.sample_rate_hz = options_.workload.sample_rate_hz;
  streams.warm_up = options_.load.warm_up;
  streams.duration = options_.load.duration;
  streams.seed = options_.load.seed;
  if (streams.piece > absl::Seconds(10)) Refuse("--piece: at most 10 s would be right");
}

}  // namespace

absl::StatusOr<client::ClientOptions> ConnectionOf(const ProgramOptions& options) {
  client::ClientOptions connection;
  connection.server = options.server;
  connection.max_attempts = options.max_attempts;
  if (absl::Status wrong = cli::ApplySecurity(options.security, &connection); !wrong.ok()) return wrong;
  return connection;
}

absl::StatusOr<ParsedOptions> ParseOptions(int argc, const char* const* argv) {
  ParsedOptions parsed;
  Flags flags(&parsed.options);
  try {
    flags.Parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.text = flags.Help();
  } catch (const CLI::CallForVersion& version) {
    parsed.text = std::string(version.what()) + "\n";
  } catch (const CLI::ParseError& wrong) {
    return absl::InvalidArgumentError(absl::StrCat(wrong.what(), " (hearwire-load --help says what would be right)"));
  }
  parsed.options.workload.seed = parsed.options.load.seed;
  return parsed;
}

}  // namespace hearwire::load
