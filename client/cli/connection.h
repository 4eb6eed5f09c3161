// What every command that talks to a server shares: where it is, how long to wait, and how a failure is put.

#ifndef HEARWIRE_CLIENT_CLI_CONNECTION_H_
#define HEARWIRE_CLIENT_CLI_CONNECTION_H_

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/security_options.h"
#include "client/client.h"

namespace hearwire::cli {

struct ConnectionOptions {
  std::string server = "127.0.0.1:8001";  // --server, HEARWIRE_SERVER.
  SecurityOptions security;
  std::string deadline = "30s";  // --deadline, of one call: seconds, or a number with its unit.
  int64_t max_message_bytes = int64_t{64} << 20;
  std::string smaller_reply;  // What the command's user can do about a reply that is too large; may be empty.
};

// Adds --server, and SecurityOptions' flags.
void AddServerOption(CLI::App& command, ConnectionOptions& options);
// Likewise, and --deadline. `deadline` is the default.
void AddConnectionOptions(CLI::App& command, ConnectionOptions& options, const std::string& deadline);

// INVALID_ARGUMENT: an option's value is wrong.
absl::StatusOr<std::unique_ptr<client::Client>> Connect(const ConnectionOptions& options);

// "2.5" (seconds), "500ms", "1m30s". INVALID_ARGUMENT, which names the flag, unless positive and finite.
absl::StatusOr<absl::Duration> ParseTime(const std::string& flag, const std::string& text);

// A failed call in a line: the server's message, without the path to the request's only clip and with advice that the
// program's user can follow, or what to do where there is no server.
std::string FailureText(const absl::Status& status, const ConnectionOptions& options);

// Writes "hearwire: TEXT" to standard error, in one line.
void Complain(const std::string& text);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_CONNECTION_H_
