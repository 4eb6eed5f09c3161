#include "load/report.h"
#include "nlohmann/json.hpp"

// Absent is null, as the reader of a report expects.
namespace nlohmann {
template <typename Value>
struct adl_serializer<std::optional<Value>> {
  static void to_json(json& out, const std::optional<Value>& value) {
    if (value) {
      out = *value;
    } else {
      out = nullptr;
    }
  }
  static void from_json(const json& in, std::optional<Value>& value) {
    if (in.is_null()) {
      value.reset();
    } else {
      value = in.get<Value>();
    }
  }
};
}  // namespace nlohmann

namespace hearwire::load {

using nlohmann::json;

void to_json(json& out, const RunSummary& run);
void from_json(const json& in, RunSummary& run);
void to_json(json& out, const KneeStep& step);
void from_json(const json& in, KneeStep& step);
void to_json(json& out, const CountCheck& check);
void from_json(const json& in, CountCheck& check);

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(LatencySummary, p50_ms, p90_ms, p99_ms, p999_ms, max_ms, mean_ms)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ServerSummary, cpu_ms_per_call, cpu_cores, batches, windows_per_batch,
                                                calls_per_batch, queue_mean_ms, inference_mean_ms)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(PercentilePoint, share, ms)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(IntervalPoint, seconds, due_per_second, completed_per_second,
                                                failed_per_second, p50_ms, p99_ms)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Knee, bound_ms, per_second, interrupted)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StreamSummary, rows_per_second, real_time_factor)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Objective, name, asked, found, met)

namespace {

// The fields of a run but its latency, which stands beside them.
struct RunFields : RunSummary {};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RunFields, rate_per_second, offered_per_second, concurrency,
                                                measured_seconds, calls, succeeded, failed, chosen_to_cancel, errors,
                                                error_messages, calls_per_second, audio_seconds_per_second, bytes_sent,
                                                bytes_received, succeeded_latency, as_made, start_delay_p99_ms,
                                                generator_cpu_cores, server)

struct ReportFields : Report {};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ReportFields, name, version, started, server_address, load, settings,
                                                stream, percentiles, intervals, steps, knee, count_check, objectives,
                                                notes)

}  // namespace

void to_json(json& out, const RunSummary& run) {
  out = json(run.latency);
  out.update(json(RunFields{run}));
}

void from_json(const json& in, RunSummary& run) {
  run = in.get<RunFields>();
  run.latency = in.get<LatencySummary>();
}

void to_json(json& out, const KneeStep& step) {
  out = json(step.run);
  out["share_within_bound"] = step.share_within_bound;
  out["passed"] = step.passed;
}

void from_json(const json& in, KneeStep& step) {
  step.run = in.get<RunSummary>();
  step.share_within_bound = in.value("share_within_bound", 0.0);
  step.passed = in.value("passed", false);
}

void to_json(json& out, const CountCheck& check) {
  out = {{"agrees", check.agrees()},
         {"exact", check.exact},
         {"sent", check.sent},
         {"answered", check.answered},
         {"failed_locally", check.failed_locally},
         {"not_compared", check.not_compared},
         {"server_counted", check.server_counted},
         {"differences", check.differences}};
}

void from_json(const json& in, CountCheck& check) {
  check.exact = in.value("exact", true);
  check.sent = in.value("sent", int64_t{0});
  check.answered = in.value("answered", int64_t{0});
  check.failed_locally = in.value("failed_locally", int64_t{0});
  check.not_compared = in.value("not_compared", int64_t{0});
  check.server_counted = in.value("server_counted", int64_t{0});
  check.differences = in.value("differences", std::vector<std::string>());
}

std::string ToJson(const Report& report) {
  json out = ReportFields{report};
  if (HasRun(report)) out.update(json(report.run));
  out["program"] = "hearwire-load";
  return out.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Report> ReportFromJson(const std::string& text) {
  const json in = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!in.is_object() || in.value("program", json()) != "hearwire-load") {
    return absl::InvalidArgumentError("this is no report of hearwire-load; its --json FILE writes one");
  }
  try {
    Report report = in.get<ReportFields>();
    report.run = in.get<RunSummary>();
    return report;
  } catch (const json::exception& wrong) {
    return absl::InvalidArgumentError(std::string("the report is damaged: ") + wrong.what());
  }
}

}  // namespace hearwire::load
