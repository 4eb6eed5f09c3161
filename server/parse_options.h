// ServerOptions from the command line, the environment and a configuration file, in this order of precedence.
//
// The flag --max-clips is HEARWIRE_MAX_CLIPS in the environment and max-clips=256 in the file that --config-file
// (or HEARWIRE_CONFIG_FILE) names. An empty variable counts as not set. A flag that is given twice counts as given
// last;
// --networks and --trusted-proxies add up. Durations have units ("5ms", "2s", "1m30s"), sizes are bytes or carry one
// ("64MiB", "1GiB").

#ifndef HEARWIRE_SERVER_PARSE_OPTIONS_H_
#define HEARWIRE_SERVER_PARSE_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/option_names.h"
#include "server/options.h"

namespace hearwire {

struct ParsedOptions {
  ServerOptions options;
  std::optional<std::string> text;  // --help, --version: print it and end well.
  bool self_test = false;           // --self-test: CheckServer instead of RunServer.
  // For the log: variables that seem to be mistyped, names that are on their way out.
  std::vector<std::string> warnings = {};
};

// arguments: without the program's name. variables: names of all that are set in the environment, of which those that
// begin with HEARWIRE_ are looked at. INVALID_ARGUMENT: one line that names the flag, variable or file, what is wrong
// and what would be right.
absl::StatusOr<ParsedOptions> ParseOptions(const std::vector<std::string>& arguments, const GetEnvironment& environment,
                                           const std::vector<std::string>& variables = {});

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PARSE_OPTIONS_H_
