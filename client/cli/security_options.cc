#include "client/cli/security_options.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace hearwire::cli {
namespace {

constexpr size_t kMostBytes = 4 << 20;

absl::Status ReadFile(const char* flag, const std::string& name, std::string* text) {
  if (name.empty()) return absl::OkStatus();
  std::ifstream file(name, std::ios::binary);
  text->resize(kMostBytes + 1);
  file.read(text->data(), static_cast<std::streamsize>(text->size()));
  text->resize(static_cast<size_t>(file.gcount()));
  if (file.bad() || text->empty() || text->size() > kMostBytes) {
    return absl::InvalidArgumentError(absl::StrCat(flag, " ", name, ": it cannot be read, is empty, or no small file"));
  }
  return absl::OkStatus();
}

absl::Status ReadPem(const char* flag, const std::string& name, std::string* text) {
  if (absl::Status status = ReadFile(flag, name, text); !status.ok()) return status;
  if (name.empty() || text->find("-----BEGIN ") != std::string::npos) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, " ", name, ": it is no PEM (-----BEGIN …)"));
}

}  // namespace

void AddSecurityOptions(CLI::App& command, SecurityOptions& options) {
  const auto add = [&](const std::string& flag, std::string& field, const char* variable, const std::string& type,
                       const std::string& help) {
    command.add_option(flag, field, help)->envname(variable)->type_name(type)->group("Connection");
  };
  add("--roots", options.roots, "HEARWIRE_ROOTS", "FILE",
      "TLS, and who may have signed the server's certificate (PEM); https:// alone: whom the system trusts");
  add("--client-cert", options.client_cert, "HEARWIRE_CLIENT_CERT", "FILE",
      "TLS with a certificate of one's own (PEM)");
  add("--client-key", options.client_key, "HEARWIRE_CLIENT_KEY", "FILE", "The key of --client-cert (PEM)");
  add("--server-name", options.server_name, "HEARWIRE_SERVER_NAME", "NAME",
      "The name that the server's certificate must have, where it is not that of the address");
  add("--token-file", options.token_file, "HEARWIRE_TOKEN_FILE", "FILE",
      "File whose text is the token to call with; HEARWIRE_TOKEN holds the token itself");
  command.add_option("--metadata", options.metadata, "Goes with every call; may be given several times")
      ->envname("HEARWIRE_METADATA")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->group("Connection");
}

absl::Status ApplySecurity(const SecurityOptions& options, client::ClientOptions* client) {
  client::TlsOptions tls{.server_name = options.server_name};
  absl::Status status = ReadPem("--roots", options.roots, &tls.roots);
  status.Update(ReadPem("--client-cert", options.client_cert, &tls.certificate));
  status.Update(ReadPem("--client-key", options.client_key, &tls.key));
  if (!status.ok()) return status;
  if (tls.certificate.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError("--client-cert and --client-key go together: give both or neither");
  }
  const bool asks_for_tls = !tls.roots.empty() || !tls.certificate.empty();
  if (asks_for_tls || !tls.server_name.empty()) client->tls = std::move(tls);
  if (!options.token_file.empty()) {
    if (status = ReadFile("--token-file", options.token_file, &client->token); !status.ok()) return status;
  } else if (const char* token = std::getenv("HEARWIRE_TOKEN"); token != nullptr) {
    client->token = token;
  }
  client->token = std::string(absl::StripAsciiWhitespace(client->token));
  for (const std::string& pair : options.metadata) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError("--metadata: NAME=VALUE would be right, such as x-team=search");
    }
    client->metadata.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return absl::OkStatus();
}

}  // namespace hearwire::cli
