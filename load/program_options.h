// The flags of hearwire-load.

#ifndef HEARWIRE_LOAD_PROGRAM_OPTIONS_H_
#define HEARWIRE_LOAD_PROGRAM_OPTIONS_H_

#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/security_options.h"
#include "client/client.h"
#include "load/load_run.h"
#include "load/objectives.h"
#include "load/stream_run.h"
#include "load/workload.h"

namespace hearwire::load {

struct ProgramOptions {
  std::string server = "127.0.0.1:8001";
  cli::SecurityOptions security;
  int connections = 8;
  int max_attempts = 1;  // Of a call.
  LoadOptions load;
  WorkloadOptions workload;  // Its files are not filled in: they stand in clips.
  std::vector<std::string> clips;
  std::optional<StreamLoad> streams;       // --kind stream: instead of calls.
  std::string metrics_url;                 // Empty: the server's metrics are not looked at.
  std::optional<absl::Duration> knee_p99;  // Search for the knee, with this bound.
  ObjectiveBounds objectives;
  std::string name;
  std::string json_file;             // Empty: none is written. "-": standard output.
  std::string html_file;             // Likewise; another than json_file.
  std::vector<std::string> compare;  // Two JSON reports to compare instead of a run; empty otherwise.

  // Where what is said of the run goes in words: standard error where standard output is a file's.
  std::FILE* words() const { return json_file == "-" || html_file == "-" ? stderr : stdout; }

  // The flags that shaped the run, for its report.
  std::map<std::string, std::string> settings;
};

// How the server is reached. INVALID_ARGUMENT: a file of the flags cannot be used.
absl::StatusOr<client::ClientOptions> ConnectionOf(const ProgramOptions& options);

struct ParsedOptions {
  ProgramOptions options;
  std::optional<std::string> text;  // Of --help or --version: to be printed instead of a run.
};

// INVALID_ARGUMENT: one line that says which flag is wrong, and what would be right.
absl::StatusOr<ParsedOptions> ParseOptions(int argc, const char* const* argv);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_PROGRAM_OPTIONS_H_
