// The program hearwire-load: makes calls of a Hearwire server, and says how it bore them.

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "client/cli/interrupt.h"
#include "client/cli/output_file.h"
#include "load/program.h"
#include "load/program_options.h"
#include "load/report_html.h"
#include "load/report_text.h"

namespace hearwire::load {
namespace {

constexpr int kCannotRun = 1;
constexpr int kObjectiveMissed = 2;
constexpr int kCountsNotConfirmed = 3;

int Complain(const absl::Status& wrong) {
  std::fprintf(stderr, "hearwire-load: %s\n", std::string(wrong.message()).c_str());
  return kCannotRun;
}

// A file to write later: made before the run, so that a path that will not do is known then. Null: none was asked for.
absl::StatusOr<std::unique_ptr<cli::OutputFile>> OutputAt(const std::string& path) {
  if (path.empty()) return nullptr;
  return cli::OutputFile::Create(path, /*force=*/true);
}

absl::Status Write(const std::unique_ptr<cli::OutputFile>& file, const std::string& text) {
  if (file == nullptr) return absl::OkStatus();
  const absl::Status written = file->Write(text);
  return written.ok() ? file->Commit() : written;
}

absl::StatusOr<Report> ReadReport(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(path + ": cannot be read");
  absl::StatusOr<Report> report = ReportFromJson({std::istreambuf_iterator<char>(in), {}});
  if (report.ok()) return report;
  return absl::InvalidArgumentError(path + ": " + std::string(report.status().message()));
}

int Compare(const ProgramOptions& options, const std::unique_ptr<cli::OutputFile>& html) {
  const absl::StatusOr<Report> base = ReadReport(options.compare[0]);
  if (!base.ok()) return Complain(base.status());
  const absl::StatusOr<Report> other = ReadReport(options.compare[1]);
  if (!other.ok()) return Complain(other.status());
  std::fputs(ComparisonText(*base, *other).c_str(), options.words());
  const absl::Status written = Write(html, ComparisonHtml(*base, *other));
  return written.ok() ? 0 : Complain(written);
}

int ExitCode(const Report& report) {
  if (cli::InterruptToken().stop_requested()) return cli::InterruptExitCode();
  const bool missed = std::any_of(report.objectives.begin(), report.objectives.end(),
                                  [](const Objective& objective) { return !objective.met; });
  if (missed || (report.knee && !report.knee->per_second)) return kObjectiveMissed;
  if (report.count_check && !report.count_check->agrees()) return kCountsNotConfirmed;
  return 0;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<ParsedOptions> parsed = ParseOptions(argc, argv);
  if (!parsed.ok()) return Complain(parsed.status());
  if (parsed->text) {
    std::fputs(parsed->text->c_str(), stdout);
    return 0;
  }
  const ProgramOptions& options = parsed->options;
  const absl::StatusOr<std::unique_ptr<cli::OutputFile>> json = OutputAt(options.json_file);
  if (!json.ok()) return Complain(json.status());
  const absl::StatusOr<std::unique_ptr<cli::OutputFile>> html = OutputAt(options.html_file);
  if (!html.ok()) return Complain(html.status());
  if (!options.compare.empty()) return Compare(options, *html);

  cli::WatchForInterrupts();
  const absl::StatusOr<Report> report = MakeReport(options, cli::InterruptToken());
  if (!report.ok()) return Complain(report.status());
  std::fputs(ReportText(*report).c_str(), options.words());
  for (const absl::Status& written : {Write(*json, ToJson(*report)), Write(*html, ReportHtml(*report))}) {
    if (!written.ok()) return Complain(written);
  }
  return ExitCode(*report);
}

}  // namespace
}  // namespace hearwire::load

int main(int argc, char** argv) { return hearwire::load::Main(argc, argv); }
