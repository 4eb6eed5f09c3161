// Flags of every command that talks to a server: how it is recognised, and who calls.

#ifndef HEARWIRE_CLIENT_CLI_SECURITY_OPTIONS_H_
#define HEARWIRE_CLIENT_CLI_SECURITY_OPTIONS_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "client/client.h"

namespace hearwire::cli {

// As given: names of files, and a token that never stands on a command line, where others could read it.
struct SecurityOptions {
  std::string roots;                  // --roots, HEARWIRE_ROOTS.
  std::string client_cert;            // --client-cert, HEARWIRE_CLIENT_CERT.
  std::string client_key;             // --client-key, HEARWIRE_CLIENT_KEY.
  std::string server_name;            // --server-name, HEARWIRE_SERVER_NAME.
  std::string token_file;             // --token-file, HEARWIRE_TOKEN_FILE; HEARWIRE_TOKEN holds the token itself.
  std::vector<std::string> metadata;  // --metadata, HEARWIRE_METADATA: NAME=VALUE.
};

void AddSecurityOptions(CLI::App& command, SecurityOptions& options);

// Reads the files, and fills what concerns the connection but the address. INVALID_ARGUMENT: one line that names the
// flag and says what is wrong.
absl::Status ApplySecurity(const SecurityOptions& options, client::ClientOptions* client);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_SECURITY_OPTIONS_H_
